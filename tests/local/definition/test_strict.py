"""Promise: a body that is not strict JSON is refused with line, column and fix, where a person would mend it."""

from __future__ import annotations

import pytest

from tuneline.local.definition.strict import parse_body
from tuneline.local.resources.errors import ApiError

BODY = """{
  "displayName": "d",
  "runtimeConfig": {
    "gcsOutputDirectory": "gs://b/o"
  },
  "encryptionSpec": {
    "kmsKeyName": "k"
  },
  "templateUri": "https://x"
}"""


@pytest.mark.parametrize(
    ("broken", "line", "column", "says"),
    [
        (BODY.replace('  },\n  "templateUri"', '  }\n  "templateUri"'), 8, 4, "missing comma before 'templateUri'"),
        (BODY.replace('"k"\n  },\n', '"k"\n'), 6, 21, "'encryptionSpec' is not closed before 'templateUri'"),
        (BODY.replace('"k"\n  },\n', '"k",\n'), 6, 21, "the object 'encryptionSpec' is never closed"),
        (BODY.replace('"d",', '"d"'), 2, 21, "missing comma before 'runtimeConfig'"),
        (BODY.replace('x"\n}', 'x",\n}'), 9, 29, "trailing comma after 'templateUri': remove it"),
        (BODY[:-2], 1, 1, "never closed: add '}'"),
        ('{"a": {"hyperParameters": {"epochCount": 1},}}', 1, 44, "trailing comma after 'hyperParameters'"),
        ('{"a": [1, 2,]}', 1, 12, "trailing comma"),
        ('{"a": "one\ntwo"}', 1, 7, "does not end on its line"),
        ("{'a': 1}", 1, 2, "double quotes"),
        ("{\"a\": 'x'}", 1, 7, "double quotes"),
        ('{"a": 1}}', 1, 9, "one closing bracket too many"),
        ("", 1, 1, "the body is empty"),
    ],
)
def test_the_place_and_the_fix_are_named(broken, line, column, says):
    """Line and column count from one."""
    with pytest.raises(ApiError) as refused:
        parse_body(broken.encode())
    assert f"line {line}, column {column}: " in refused.value.message
    assert says in refused.value.message


def test_what_json_has_no_words_for_is_refused():
    """Python's parser alone would take NaN."""
    with pytest.raises(ApiError, match="NaN"):
        parse_body(b'{"a": NaN}')


def test_a_good_body_is_read_with_or_without_a_byte_order_mark():
    """Editors on Windows write one."""
    assert parse_body(BODY.encode())["displayName"] == "d"
    assert parse_body(b"\xef\xbb\xbf{}") == {}
