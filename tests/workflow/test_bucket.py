"""Results in a bucket: what Kubernetes' pods share, here with jobs on this machine."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_a_run_whose_results_lie_in_a_bucket_gives_the_bytes_of_a_local_run(
    micro_run, s3, installed, repository, write_params, digests, tmp_path
):
    plugins = installed("requirements-kubernetes.txt")
    write_params(tmp_path)
    command = [
        sys.executable, "-m", "snakemake", "-s", str(repository / "workflow" / "Snakefile"),
        "--cores", "2", "--default-storage-provider", "s3", "--default-storage-prefix",
        "s3://team/hfpl", "--storage-s3-endpoint-url", s3.url, "--", "all",
    ]  # fmt: skip
    keys = {
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": s3.keys["AWS_ACCESS_KEY_ID"],
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": s3.keys["AWS_SECRET_ACCESS_KEY"],
        "PYTHONPATH": f"{repository}{os.pathsep}{plugins}",
    }
    environment = {**os.environ, **s3.keys, **keys}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "results").exists()

    listed = s3.client.get_paginator("list_objects_v2").paginate(Bucket="team", Prefix="hfpl/")
    for name in (entry["Key"] for page in listed for entry in page["Contents"]):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.client.download_file("team", name, str(path))
    assert digests(tmp_path / "hfpl" / "results") == digests(micro_run / "results")
