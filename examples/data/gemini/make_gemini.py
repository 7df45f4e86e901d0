"""Makes the "next number" set in the formats of Gemini, from examples/data/numbers: `python make_gemini.py`.

`contents` for tuning jobs of Vertex AI, `text_input` and `output` for tuned models of the Gemini API. The latter get
the first 400 examples: such sets have a few hundred.
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
NUMBERS = HERE.parent / "numbers"
FEW = 400


def gemini(question: str, answer: str) -> dict[str, object]:
    """A turn of each."""
    turns = (("user", question), ("model", answer))
    return {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in turns]}


def main() -> None:
    for name in ("train", "evaluation", "test"):
        rows = [json.loads(line) for line in (NUMBERS / f"{name}.jsonl").read_text().splitlines()]
        pairs = [(row["input_text"], row["output_text"]) for row in rows]
        forms = {
            name: [gemini(*pair) for pair in pairs],
            f"api-{name}": [{"text_input": question, "output": answer} for question, answer in pairs[:FEW]],
        }
        for file, made in forms.items():
            text = "".join(json.dumps(row) + "\n" for row in made)
            (HERE / f"{file}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
