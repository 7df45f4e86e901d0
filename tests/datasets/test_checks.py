"""Every check of the catalogue fires where it should, with its place, and stays silent where it must not."""

from __future__ import annotations

import gzip
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.datasets import data, test_bad_input
from tests.datasets.data import gemini, gemini_call, gemini_file, palm_chat, palm_text, preference
from tuneline import datasets
from tuneline.datasets import catalogue

N = 30
Case = tuple[Any, dict[str, Any], int]
"""Values (or bytes), options of check(), line of the first finding (0: of the file).

Besides its own options, `against` is the values of the other set, and `catalog` the user's own catalogue, as TOML.
"""


def _sound(make: Callable[[int], Any] = palm_text, n: int = N) -> list[Any]:
    return [make(k) for k in range(n)]


def _with(value: Any, make: Callable[[int], Any] = palm_text, at: int = 4) -> list[Any]:
    """A sound set with one example (line at + 1) replaced."""
    values = _sound(make)
    values[at] = value
    return values


def _chat(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"author": author, "content": text} for author, text in turns]}


def _gemini(*turns: tuple[str, Any]) -> dict[str, Any]:
    contents = [{"role": role, "parts": [{"text": part}] if isinstance(part, str) else part} for role, part in turns]
    return {"contents": contents}


FRAMED = [{"input_text": f"question: {data.phrase(n)}", "output_text": f"a {n}"} for n in range(N)]
CLASSES = [{"input_text": data.phrase(n) + " asks", "output_text": "yes" if n % 2 else "no"} for n in range(60)]
LONG = " ".join(data.WORDS) * 3
BIG = "x" * (16 << 20)
NEAR = '[models."gemini-2.5-flash"]\nwarn_file_bytes = {}\nmax_file_bytes = {}\n'

FIRES: dict[str, Case] = {
    "D101": (b"\n \n", {}, 0),
    "D102": (b"PK\x03\x04" + bytes(100), {}, 0),
    "D103": (_with('{"input_text": "é", "output_text": "b"}'.encode("latin-1")), {}, 5),
    "D104": (b"\xef\xbb\xbf" + data.lines(_sound()), {}, 1),
    "D105": (data.lines(_sound()).replace(b"\n", b"\r\n"), {}, 0),
    "D106": (_with(" "), {}, 5),
    "D107": (json.dumps(_sound()).encode(), {}, 0),
    "D108": ([{"instruction": "a", "input": "b", "output": "c"}] * 12, {}, 1),
    "D109": (_with(json.dumps({"input_text": BIG, "output_text": "b"})), {}, 5),
    "D111": (_with(data.openai(1)), {}, 5),
    "D112": (gzip.compress(data.lines(_sound())), {}, 0),
    "D113": (_sound(), {"model": "gemini-2.5-flash"}, 0),
    "D201": (_with('{"input_text": "a", "output_text": "b",}'), {}, 5),
    "D202": (_with('{"input_text": "a", "input_text": "b", "output_text": "c"}'), {}, 5),
    "D203": (_with('{"input_text": "a", "output_text": NaN}'), {}, 5),
    "D204": (_with('{"input_text": "a", "output_text": "\\ud83d"}'), {}, 5),
    "D205": (_with('{"input_text": ' + "[" * 600 + "]" * 600 + ', "output_text": "c"}'), {}, 5),
    "D207": (_with("[1, 2]"), {}, 5),
    "D301": (_with({"input_text": "a"}), {}, 5),
    "D302": (_with({"input_text": 7, "output_text": "b"}), {}, 5),
    "D303": (_with(palm_text(1) | {"id": 3}), {}, 5),
    "D304": (_with(_chat(("user", "a"), ("bot", "b")), palm_chat), {}, 5),
    "D305": (_with(_gemini(("USER", "a"), ("model", "b")), gemini), {}, 5),
    "D306": (_with({"contents": []}, gemini), {}, 5),
    "D307": (_with(_gemini(("user", [{}]), ("model", "b")), gemini), {}, 5),
    "D401": (_with(_chat(("assistant", "a"), ("user", "b"), ("assistant", "c")), palm_chat), {}, 5),
    "D402": (_with(_chat(("user", "a"), ("assistant", "b"), ("user", "c")), palm_chat), {}, 5),
    "D403": (_with(_chat(("user", "a"), ("user", "b"), ("assistant", "c")), palm_chat), {}, 5),
    "D404": (_with({"input_text": "a", "output_text": " \n"}), {}, 5),
    "D405": (
        _with({"messages": [*data.openai(1)["messages"], {"role": "system", "content": "x"}]}, data.openai),
        {},
        5,
    ),
    "D406": (
        _with(
            {**gemini_call(1), "contents": gemini_call(1)["contents"][:2] + gemini_call(1)["contents"][3:]}, gemini_call
        ),
        {},
        5,
    ),
    "D407": (_with({**preference(1), "completions": preference(1)["completions"][:1]}, preference), {}, 5),
    "D408": (
        _with(
            {
                **preference(1),
                "completions": [{"completion": {"parts": [{"text": "same"}]}, "score": n} for n in (1, 0)],
            },
            preference,
        ),
        {},
        5,
    ),
    "D501": (_sound(n=9), {}, 0),
    "D502": (_sound(n=10), {}, 0),
    "D503": (_sound(n=10_001), {}, 0),
    "D504": ([palm_chat(n) for n in range(5001)], {}, 0),
    "D505": (
        _with(
            gemini(1)
            | {"contents": [{"role": "user", "parts": [{"text": "word " * 200_000}]}, gemini(1)["contents"][1]]},
            gemini,
        ),
        {"model": "gemini-2.5-flash"},
        5,
    ),
    "D506": ([{"text_input": f"{n} " + "x" * 1000, "output": "y"} for n in range(4200)], {}, 0),
    "D507": (_sound(gemini), {"model": "gemini-2.5-flash", "catalog": NEAR.format(100, 10**6)}, 0),
    "D508": (_with(gemini_file(1, files=31), gemini), {}, 5),
    "D509": (_with(gemini_file(1, mime="model/gltf"), gemini), {}, 5),
    "D510": (
        _with(_gemini(("user", [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]), ("model", "b")), gemini),
        {},
        5,
    ),
    "D511": (
        [
            gemini_file(n) | {"generationConfig": {"mediaResolution": f"MEDIA_RESOLUTION_{'LOW' if n else 'HIGH'}"}}
            for n in range(12)
        ],
        {},
        2,
    ),
    "D512": (_with(gemini_file(1, uri="/home/me/a.png"), gemini), {}, 5),
    "D513": (_sound(n=300), {"against": [palm_text(n) for n in range(1000, 1251)]}, 0),
    "D601": (_with(palm_text(0)), {}, 5),
    "D602": (_with('{"output_text": "answer 0", "input_text": "' + palm_text(0)["input_text"] + '"}'), {}, 5),
    "D603": (_with(palm_text(0) | {"output_text": "other"}), {}, 5),
    "D604": (_sound(), {"against": [palm_text(90), palm_text(7) | {"output_text": "other"}]}, 8),
    "D605": (_with({"input_text": "w " * 4000, "output_text": "b"}), {}, 5),
    "D606": ([*CLASSES, {"input_text": "rare", "output_text": "maybe"}], {}, 0),
    "D607": (_sound(), {}, 0),
    "D608": ([*FRAMED[:4], palm_text(99), *FRAMED[4:]], {}, 5),
    "D609": (
        [*_with({"input_text": LONG, "output_text": "b"})[:-1], {"input_text": LONG + " x", "output_text": "c"}],
        {"near_duplicates": True},
        N,
    ),
    "D610": (_with({"input_text": "write to jane.roe@mail.net", "output_text": "b"}), {"personal_data": True}, 5),
    "D611": (_with({"input_text": "key AKIA" + "ABCDEFGHIJKLMNOP", "output_text": "b"}), {"personal_data": True}, 5),
    "D612": (_sound(), {"against": _sound()[5:9]}, 0),
    "D613": ([{"prompt": f"name {n} ->", "completion": f" answer {n} END"} for n in range(30)], {}, 0),
}
"""A set that makes each check fire."""

BY_OTHER_TESTS = {
    "D110": (
        test_bad_input.test_a_report_of_a_file_written_to_meanwhile_is_not_valid,
        test_bad_input.test_a_file_that_is_left_alone_has_not_changed,
    )
}
"""The tests that make a check fire, and that must not, where a file of its own cannot: it is written to meanwhile."""

SILENT: dict[str, Case] = {
    "D101": ([palm_text(1)], {}, 0),
    "D102": (b'{"input_text": "PK", "output_text": "PAR1"}\n', {}, 0),
    "D103": (_with('{"input_text": "é 東京 🙂", "output_text": "b"}'), {}, 0),
    "D104": (_with({"input_text": "\ufeff inside", "output_text": "b"}), {}, 0),
    "D105": (_with({"input_text": "a\r\nb", "output_text": "b"}), {}, 0),
    "D106": (data.lines(_sound())[:-1], {}, 0),
    "D107": (_sound(), {}, 0),
    "D108": (_sound(), {}, 0),
    "D109": (_with({"input_text": "x" * (3 << 20), "output_text": "b"}), {}, 0),
    "D111": (_with({"input_text": "a", "prompt": "b", "output_text": "c"}), {}, 0),
    "D112": (_sound(), {}, 0),
    "D113": (_sound(gemini), {"model": "gemini-2.5-flash"}, 0),
    "D201": (_with('  {"input_text" : "a\\u00e9\\/", "output_text" : "{\\"b\\": 1,}"} '), {}, 0),
    "D202": (_with('{"input_text": "\\"output_text\\": \\"x\\"", "output_text": "ends in \\\\"}'), {}, 0),
    "D203": (_with({"input_text": "NaN", "output_text": "Infinity"}), {}, 0),
    "D204": (_with('{"input_text": "\\ud83d\\ude42", "output_text": "b"}'), {}, 0),
    "D205": (_with({"input_text": "[" * 600, "output_text": "b"}), {}, 0),
    "D207": (_sound(), {}, 0),
    "D301": (_with(palm_chat(1) | {"context": "c"}, palm_chat), {}, 0),
    "D302": (_with({"input_text": "7", "output_text": "null"}), {}, 0),
    "D303": (_with(gemini_call(1) | {"generationConfig": {}}, gemini_call), {}, 0),
    "D304": (_sound(data.gemini_1_0), {}, 0),
    "D305": (_sound(gemini), {}, 0),
    "D306": (_sound(gemini_call), {}, 0),
    "D307": (_with(gemini_file(1), gemini), {}, 0),
    "D401": (_with(palm_chat(1) | {"context": "c"}, palm_chat), {}, 0),
    "D402": (_with({"contents": [{"parts": [{"text": t}]} for t in "ab"]}, gemini), {}, 0),
    "D403": (_sound(gemini_call), {}, 0),
    "D404": (_with({"input_text": "0", "output_text": "."}), {}, 0),
    "D405": (_sound(data.openai), {}, 0),
    "D406": (_sound(gemini_call), {}, 0),
    "D407": (_sound(preference), {}, 0),
    "D408": (_sound(preference), {}, 0),
    "D501": (_sound(n=10), {}, 0),
    "D502": (_sound(n=500), {}, 0),
    "D503": (_sound(n=10_000), {}, 0),
    "D504": ([palm_chat(n) for n in range(5000)], {}, 0),
    "D505": (_sound(gemini), {"model": "gemini-2.5-flash"}, 0),
    "D506": (_sound(data.gemini_api), {}, 0),
    "D507": (_sound(gemini), {"model": "gemini-2.5-flash", "catalog": NEAR.format(10**5, 10**6)}, 0),
    "D508": (_with(gemini_file(1, files=30), gemini), {}, 0),
    "D509": (_with(gemini_file(1, mime="application/pdf"), gemini), {}, 0),
    "D510": (_sound(gemini_call), {}, 0),
    "D511": ([gemini_file(n) for n in range(12)], {}, 0),
    "D512": (_with(gemini_file(1, uri="https://a.b/c.png"), gemini), {}, 0),
    "D513": (_sound(n=300), {"against": [palm_text(n) for n in range(1000, 1250)]}, 0),
    "D601": (_with(palm_text(0) | {"output_text": "other"}), {}, 0),
    "D602": (_with(palm_text(0)), {}, 0),
    "D603": (_with(palm_text(0)), {}, 0),
    "D604": (
        _sound(),
        {"against": [palm_text(90), {"input_text": palm_text(7)["input_text"] + " ", "output_text": "b"}]},
        0,
    ),
    "D605": (_sound(), {}, 0),
    "D606": (CLASSES, {}, 0),
    "D607": (FRAMED, {}, 0),
    "D608": (FRAMED, {}, 0),
    "D609": (_sound(), {"near_duplicates": True}, 0),
    "D610": (
        _with({"input_text": "a@b, 4111 1111 1111 1112, order 12345678, 1.5.2024, me@example.com", "output_text": "b"}),
        {"personal_data": True},
        0,
    ),
    "D611": (
        _with({"input_text": "the password is in the vault; api_key = None", "output_text": "b"}),
        {"personal_data": True},
        0,
    ),
    "D612": (_sound(), {"against": [*_sound()[5:9], palm_text(77)]}, 0),
    "D613": ([{"prompt": f"if a[{n}] -> b", "completion": f"THE END of {n}"} for n in range(30)], {}, 0),
}
"""A set much like it that must not."""


def test_every_check_has_a_case_of_both_kinds() -> None:
    """No check can be added without saying when it fires and when not."""
    assert set(FIRES) | set(BY_OTHER_TESTS) == set(catalogue.CHECKS)
    assert set(SILENT) == set(FIRES)
    for code, tests in BY_OTHER_TESTS.items():
        assert all(f'"{code}"' in inspect.getsource(test) for test in tests)


def _report(folder: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> datasets.Report:
    values, given, _ = case
    options = dict(given)
    if "catalog" in options:
        (folder / "catalog.toml").write_text(options.pop("catalog"))
        monkeypatch.setenv("TUNELINE_CATALOG", str(folder / "catalog.toml"))
    if "against" in options:
        options["against"] = data.write(folder, options["against"], "other.jsonl")
    return datasets.check(data.write(folder, values), **options)


@pytest.mark.parametrize("code", FIRES)
def test_the_check_fires_at_its_place(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spoiled set has the finding, on the spoiled line."""
    report = _report(tmp_path, FIRES[code], monkeypatch)
    found = [item for item in report.findings if item.code == code]
    assert found, report.counts
    assert found[0].line == FIRES[code][2]
    assert report.counts[code] >= len(found)
    assert found[0].message
    assert found[0].hint
    if any(item.severity == "error" for item in found):
        assert not report.valid


@pytest.mark.parametrize("code", SILENT)
def test_the_check_stays_silent(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set that only looks like it has no such finding."""
    report = _report(tmp_path, SILENT[code], monkeypatch)
    assert code not in report.counts, [item.message for item in report.findings if item.code == code]


def test_sound_sets_are_valid_in_every_format(tmp_path: Path) -> None:
    """Thirty plain examples have no error and no warning but that they are few."""
    for form, make in data.MAKERS.items():
        report = datasets.check(data.write(tmp_path, _sound(make)))
        assert report.valid, form
        assert report.format == form
        assert set(report.counts) <= {"D502", "D607"}, form


def test_leakage_is_named_with_both_lines(tmp_path: Path) -> None:
    """Examples whose input is in the other set are counted, whatever their output; a set of other inputs is not."""
    train = data.write(tmp_path, _sound(), "train.jsonl")
    leaking = data.write(tmp_path, [palm_text(100), palm_text(3) | {"output_text": "x"}, palm_text(101)], "a.jsonl")
    report = datasets.check(train, against=leaking)
    assert report.leakage == {"examples": 1}
    (found,) = [item for item in report.findings if item.code == "D604"]
    assert found.line == 4
    assert "line 2" in found.message
    apart = data.write(tmp_path, [palm_text(n) for n in range(100, 120)], "b.jsonl")
    assert datasets.check(train, against=apart).leakage == {"examples": 0}


def test_leakage_is_found_across_formats(tmp_path: Path) -> None:
    """The same prompt in another format is the same input."""
    train = data.write(tmp_path, [data.prompt_completion(n) for n in range(N)], "train.jsonl")
    other = data.write(tmp_path, [data.gemini_api(2), data.gemini_api(200)], "other.jsonl")
    assert datasets.check(train, against=other).leakage == {"examples": 1}


def test_one_set_within_the_other_is_an_error(tmp_path: Path) -> None:
    """An evaluation set that is all training examples leaves nothing to evaluate on."""
    train = data.write(tmp_path, _sound(), "train.jsonl")
    inside = data.write(tmp_path, _sound()[5:9], "inside.jsonl")
    for one, other in ((train, inside), (inside, train)):
        assert datasets.check(one, against=other).counts["D612"] == 1
    partly = data.write(tmp_path, [*_sound()[5:9], palm_text(77)], "partly.jsonl")
    assert "D612" not in datasets.check(train, against=partly).counts


def test_the_evaluation_set_has_limits_beside_the_training_set(tmp_path: Path) -> None:
    """More than 5,000 evaluation examples are refused for Gemini; 5,000 are not too many by themselves."""
    train = data.write(tmp_path, [gemini(n) for n in range(20_001)], "train.jsonl")
    for number, fires in ((5001, True), (5000, False)):
        held = data.write(tmp_path, [gemini(30_000 + n) for n in range(number)], "held.jsonl")
        report = datasets.check(train, against=held, model="gemini-2.5-flash")
        assert ("D513" in report.counts) is fires


def test_a_file_near_the_limit_is_a_warning() -> None:
    """From a billion bytes a Gemini file is warned of; from 2**30 it is refused."""
    from tuneline.datasets import bounds, limits
    from tuneline.datasets.findings import Findings
    from tuneline.datasets.survey import Survey

    for size, code in ((999_999_999, None), (10**9, "D507"), (1 << 30, "D507"), ((1 << 30) + 1, "D506")):
        survey, findings = Survey("gemini", kept=10), Findings()
        survey.records = 1000
        bounds.check_counts(survey, limits.of("gemini", None), size, "training", findings)
        assert set(findings.counts) == ({code} if code else set())


def test_columns_and_paths_point_at_the_value(tmp_path: Path) -> None:
    """A finding deep in a pretty-printed value has its own line and column, counted in characters."""
    value = {"contents": [{"role": "user", "parts": [{"text": "é"}]}, {"role": "bot", "parts": [{"text": "b"}]}]}
    path = data.write(tmp_path, json.dumps(value, ensure_ascii=False).encode())
    (found,) = [item for item in datasets.check(path).findings if item.code == "D304"]
    assert (found.line, found.path) == (1, "$.contents[1].role")
    assert Path(path).read_text()[found.column - 1 :].startswith('"bot"')
    values = [palm_text(0), palm_text(1) | {"output_text": ""}]
    path = data.write(tmp_path, json.dumps(values, indent=2).encode())
    (found,) = [item for item in datasets.check(path).findings if item.code == "D404"]
    text = Path(path).read_text().split("\n")
    assert text[found.line - 1][found.column - 1 :] == '""'


def test_of_many_findings_some_are_kept_and_all_counted(tmp_path: Path) -> None:
    """A thousand bad lines give a short list and the number 1,000."""
    report = datasets.check(data.write(tmp_path, [{"input_text": "a"}] * 1000), max_findings=7)
    assert report.counts["D301"] == 1000
    assert sum(item.code == "D301" for item in report.findings) == 7
    assert report.errors >= 1000


def test_duplicates_are_counted_beyond_the_first_of_each(tmp_path: Path) -> None:
    """Lines and inputs that come again, and inputs with differing outputs, each have their number."""
    a, b = palm_text(1), palm_text(2)
    values = [a, a, a, b, b | {"output_text": "x"}, b | {"output_text": "y"}, *[palm_text(n) for n in range(5, 20)]]
    report = datasets.check(data.write(tmp_path, values))
    assert report.duplicates == {"exact": 2, "input": 4}
    assert report.contradictions == 1


def test_duplicates_are_seen_in_formats_that_nobody_knows(tmp_path: Path) -> None:
    """Equal lines are equal, whatever they hold."""
    report = datasets.check(data.write(tmp_path, [{"text": "a"}] * 94 + [{"text": f"{n}"} for n in range(6)]))
    assert report.duplicates["exact"] == 93
    assert report.format == "unknown"


def test_repeated_lines_do_not_make_up_the_recommended_number(tmp_path: Path) -> None:
    """400 lines that are 40 over and over are 40 examples to learn from."""
    repeated = datasets.check(data.write(tmp_path, [data.gemini(n % 40) for n in range(400)]))
    (found,) = [item for item in repeated.findings if item.code == "D502"]
    assert "400 examples, of which 40 differ" in found.message
    assert "D502" not in datasets.check(data.write(tmp_path, [data.gemini(n) for n in range(400)])).counts


def test_canned_answers_are_classes_too(tmp_path: Path) -> None:
    """A few whole sentences that come as answers again and again are looked at as classes are."""
    answers = ["I am sorry to hear that. " * 6, "Let me look that up for you, one moment please. " * 3]
    values = [{"prompt": f"p {n}", "completion": answers[n % 50 == 0]} for n in range(500)]
    (found,) = [item for item in datasets.check(data.write(tmp_path, values)).findings if item.code == "D606"][:1]
    assert "98%" in found.message
    assert len(found.message) < 120


def test_every_leftover_marker_is_told_once(tmp_path: Path) -> None:
    """Ends of inputs and of outputs are two findings with their shares; tokens of a template are named."""
    values = [{"prompt": f"name {n}\n\n###\n\n", "completion": f" answer {n} END"} for n in range(45)]
    values += [{"prompt": f"more {n}", "completion": "b"} for n in range(4)]
    values.append({"prompt": "[INST] hello [/INST]", "completion": "b<|im_end|>"})
    found = [item.message for item in datasets.check(data.write(tmp_path, values)).findings if item.code == "D613"]
    assert len(found) == 3
    assert found[0] == "90% of the inputs end in '###'"
    assert found[1] == "90% of the outputs end in 'END'"
    assert all(token in found[2] for token in ("[INST]", "[/INST]", "<|im_end|>", "1 of 50"))
