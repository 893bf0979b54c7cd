"""YAML from anywhere: values, or one line."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hfpl.params.load import ParamsError, read_yaml
from hfpl.storage.plain_yaml import load_yaml

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "line 1: names for parts"),
        ("a: &x 1\n", "line 1: names for parts"),
        ("b: 2\na: *x\n", "line 2: names for parts"),
        ('a: !!bool "maybe"', "line 1: tags"),
        ("a: !!python/object:os.system x", "line 1: tags"),
        ("- !x {a: 1}", "line 1: tags"),
        ("[" * 5000, "more than 32 brackets"),
        ("a: " + "{a: " * 40 + "1" + "}" * 40, "more than 32 brackets"),
        (f"a: {'9' * 10_000}", "line 1: '99999999999999999999' cannot be a value"),
        ("a: 2024-13-45", "line 1: '2024-13-45' cannot be a value"),
        ("x" * 4_000_001, "4000001 characters are more than"),
        ("a: [1", "flow sequence"),
        ("a: 1\na: 2", "duplicate"),
    ],
)
def test_what_no_file_of_ours_holds_is_refused_at_once(tmp_path, text, message):
    began = time.monotonic()
    with pytest.raises(YAMLError, match=message):
        load_yaml(text)
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml: not valid YAML: ") as error:
        read_yaml(tmp_path / "params.yaml")
    assert "\n" not in str(error.value)
    assert time.monotonic() - began < 10


@example("\x85")
@settings(deadline=None, max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=8,
    )
)
def test_plain_content_is_read_as_ruamel_reads_it(content):
    from io import StringIO

    buffer = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.dump(content, buffer)
    # Not always what was written: it writes U+0085 as it stands, and reads a space.
    assert load_yaml(buffer.getvalue()) == yaml.load(buffer.getvalue())
