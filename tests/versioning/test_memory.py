"""What the project relies on of Snakemake's insides: a new Snakemake that changes it fails here."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
import snakemake.api  # before snakemake.workflow, which imports it in a circle
from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import PersistenceBackend
from snakemake.workflow import Workflow
from snakemake_interface_executor_plugins.settings import ExecMode

from hfpl.versioning import memory
from hfpl.versioning.memory import KNOWN_FORMAT, Memory, attach

FIELDS = {
    "code", "conda_env", "container_img_url", "endtime", "external_jobid", "incomplete", "input",
    "input_checksums", "job_hash", "log", "params", "record_format_version", "rule", "shellcmd",
    "software_stack_hash", "starttime",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_records_have_the_known_fields_and_format():
    assert RECORD_FORMAT_VERSION == KNOWN_FORMAT
    assert set(MetadataRecord.model_fields) == FIELDS


def test_the_store_has_what_is_put_in_its_place():
    assert snakemake.api
    parameters = {
        name: list(inspect.signature(getattr(FilePersistence, name)).parameters)
        for name in ("_read_record", "_write_record", "_delete_record", "_clear_cache", "lock")
    }
    assert parameters == {
        "_read_record": ["self", "key"],
        "_write_record": ["self", "key", "record"],
        "_delete_record": ["self", "key"],
        "_clear_cache": ["self"],
        "lock": ["self"],
    }
    assert callable(Workflow._prepare_dag)
    assert list(inspect.signature(FilePersistence.cleanup).parameters) == ["self", "job"]
    assert callable(FilePersistence._unmark_incomplete)
    error = inspect.signature(Job.postprocess).parameters["error"]
    assert (error.default, inspect.iscoroutinefunction(Job.postprocess)) == (False, True)


def test_records_are_written_read_and_forgotten(folder):
    kept = Memory()
    file = Path("results/a.zip")
    assert kept.read(file) is None
    kept.write(file, {"rule": "walk", "input": ["b"], "params": ["{'x': 1}"]})
    found = Memory().read(file)
    assert (found["rule"], found["input"], found["params"]) == ("walk", ["b"], ["{'x': 1}"])
    kept.forget(file)
    assert Memory().read(file) is None


def workflow(backend: PersistenceBackend = PersistenceBackend.FILE) -> SimpleNamespace:
    return SimpleNamespace(
        exec_mode=ExecMode.DEFAULT,
        workflow_settings=SimpleNamespace(persistence_backend=backend),
        _prepare_dag=lambda: None,
    )


def test_records_in_a_data_base_are_refused_in_a_line():
    with pytest.raises(WorkflowError, match="--persistence-backend db: .* leave it out"):
        attach(workflow(PersistenceBackend.DB), Path("results"))


def test_an_unknown_format_is_refused_in_a_line(monkeypatch):
    attach(workflow(), Path("results"))
    monkeypatch.setattr(memory, "RECORD_FORMAT_VERSION", KNOWN_FORMAT + 1)
    with pytest.raises(WorkflowError, match="records of version 7, known is 6; install"):
        attach(workflow(), Path("results"))
