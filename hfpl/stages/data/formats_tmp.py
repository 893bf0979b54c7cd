from types import SimpleNamespace

from hfpl.params.downloads import sources_of


def folder_fingerprint(root, part):
    from hfpl.stages.data.index import folder_fingerprint as f

    return f(root, part)


def format_of(params):
    e = params.chosen_dataset
    f = e.format
    return SimpleNamespace(
        sources=sources_of(e),
        archived=f == "shapes" or bool(sources_of(e)),
        archive_reads=["chosen.dataset"]
        if f == "shapes"
        else [
            "chosen.dataset.format",
            *(f"chosen.dataset.sources.{n}.file" for n in sources_of(e)),
        ],
        index_keys={
            "voc": ["lists.training", "lists.val"],
            "folder": ["max_side", "val_share"],
        }.get(f, []),
        mask_keys=["lists.train", "lists.val"] if f == "voc" else [],
        fingerprint=lambda part: folder_fingerprint(e.root, part),
        every_image_tested=f == "folder",
    )
