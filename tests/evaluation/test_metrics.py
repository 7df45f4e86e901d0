"""Each metric is what its name says, on the texts on which implementations differ."""

import pytest

from tuneline.evaluation import edit_similarity, exact_match, is_code, parses, rouge_l


@pytest.mark.parametrize(
    ("prediction", "expected", "score"),
    [("23", "23", 1), (" 23\n", "23", 1), ("23.", "23", 0), ("Twenty", "twenty", 0), ("", "", 1)],
)
def test_exact_match_forgives_white_space_at_the_ends_alone(prediction, expected, score):
    assert exact_match(prediction, expected) == score


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence_of_words():
    """The reference's own arithmetic: LCS of "the cat sat on mat" and "the cat lay on the mat" has 4 words."""
    precision, recall = 4 / 5, 4 / 6
    expected = 2 * precision * recall / (precision + recall)
    assert rouge_l("The cat sat on mat", "the cat lay on the mat") == pytest.approx(expected)
    assert rouge_l("", "a word") == 0
    assert rouge_l("ein Übermaß", "EIN übermaß") == 1


def test_rouge_l_agrees_with_the_definition_on_random_word_lists():
    import random

    generator = random.Random(7)
    for _ in range(200):
        first = [generator.choice("abcdef") for _ in range(generator.randrange(1, 12))]
        second = [generator.choice("abcdef") for _ in range(generator.randrange(1, 12))]
        defined = 2 * _lcs(first, second) / (len(first) + len(second))
        assert rouge_l(" ".join(first), " ".join(second)) == pytest.approx(defined, abs=1e-12)


def test_edit_similarity_counts_characters():
    assert edit_similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert edit_similarity("", "") == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("return self.tk.call(\n    (self._w, 'itemcget'))", True),
        ("import os", True),
        ("x = 1", True),
        ("23", False),
        ("twelve", False),
        ("-4, 5", False),
        ("twenty three", False),
        ("", False),
    ],
)
def test_an_answer_that_merely_parses_is_not_code(text, code):
    assert is_code(text) is code


@pytest.mark.parametrize("text", ["def f(:", "a\x00b", "(" * 100_000, "  x = 1"])
def test_what_the_parser_refuses_does_not_parse_and_does_not_raise(text):
    assert parses(text) is False


def test_a_bad_escape_in_the_text_is_no_warning_of_ours(recwarn):
    assert parses(r"p = '\d+'")
    assert not recwarn.list


def _lcs(first, second):
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if a == b else max(table[i - 1][j], table[i][j - 1])
    return table[-1][-1]
