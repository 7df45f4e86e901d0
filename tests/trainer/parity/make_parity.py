"""Makes the golden logits: `python -m tests.trainer.parity.make_parity`, with transformers, peft and torch.

For every family: the logits of the last positions of a fixed row, and the same with an adapter that this project
exported and peft loaded.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import peft
import torch
import transformers

from tests.trainer.parity.folders import CONFIGS, TOKENS, config, write
from tests.trainer.parity.test_parity import LAST, adapter_of
from tuneline.trainer.architecture import read_architecture
from tuneline.trainer.lora import adapter_files


def main() -> None:
    here = Path(__file__).parent
    golden = {"made_with": {part.__name__: part.__version__ for part in (transformers, peft, torch)}, "families": {}}
    for family in CONFIGS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / family
            settings = transformers.AutoConfig.for_model(**config(family))
            empty = transformers.AutoModelForCausalLM.from_config(settings)
            shapes = {key: tuple(value.shape) for key, value in empty.state_dict().items()}
            if settings.tie_word_embeddings:
                shapes.pop("lm_head.weight", None)
            write(folder, family, shapes)
            load = {"torch_dtype": torch.float32, "attn_implementation": "eager"}
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, **load).eval()
            architecture = read_architecture(config(family), where=family)
            adapter = Path(name) / "adapter"
            adapter.mkdir()
            for file, data in adapter_files(adapter_of(architecture), base=str(folder), family=family).items():
                (adapter / file).write_bytes(data)
            with torch.no_grad():
                plain = model(torch.tensor(TOKENS)).logits[0, -LAST:]
                tuned = peft.PeftModel.from_pretrained(model, adapter)(torch.tensor(TOKENS)).logits[0, -LAST:]
        entry = {"shapes": {key: list(shape) for key, shape in shapes.items()}}
        for key, values in (("logits", plain), ("adapter_logits", tuned)):
            entry[key] = [[round(value, 5) for value in row] for row in values.tolist()]
        golden["families"][family] = entry
        print(family, float(plain.abs().max()), float((plain - tuned).abs().max()))
    (here / "parity.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
