"""Makes the built-in base: `python -m scripts.base.make_base [--output DIR] [--steps N]`.

Everything follows from one seed: the corpus, the byte-level BPE tokenizer, the initial weights and the order. The
corpus depends on the Python whose standard library was read, the weights' last bits on the device: `base.json` names
both.
A minute on a GPU, about an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from scripts.base.corpus import Document, digest, library_documents, task_documents
from tuneline.trainer.architecture import Architecture, Rope, read_architecture
from tuneline.trainer.model import hidden, initial_weights, logits

SEED = 20260601
TASKS = 150_000
STEPS = 2500
ROWS = 4
"""Rows of a step, each as long as the context; half of them tasks, half of the library."""
PEAK_RATE, WEIGHT_DECAY = 0.003, 0.3
"""The decay keeps the weights small, so that a short LoRA run can still move the model: with 0.01 instead the same base
learned the next number to 89 % of held-out examples, with 0.3 to 94 %."""
SPECIAL = ("<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
PAD, BEGIN, END, _, USER, ASSISTANT = range(len(SPECIAL))
CHAT_TEMPLATE = (
    "<|begin|>{% for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{% if message.role == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SHAPE = Architecture(
    family="llama",
    vocabulary=1024,
    width=160,
    layers=4,
    heads=5,
    key_value_heads=5,
    head_size=32,
    inner=448,
    context=1024,
    epsilon=1e-5,
    rope=Rope(base=10_000.0, original_context=1024),
    tied=True,
)


def make_tokenizer(texts: list[str]) -> Tokenizer:
    """Byte-level BPE in which a word is the same tokens anywhere: spaces and digits are tokens of their own."""
    tokenizer = Tokenizer(models.BPE())
    pieces = Regex(r"\p{L}+|\p{N}| +|\n+ *|[^\p{L}\p{N}\s]+|\s")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pieces, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, documents: list[Document]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(tokens, weights of the loss): responses count fully, prompts a little, so that prompts are learned as text."""
    prompts = tokenizer.encode_batch([d.prompt for d in documents], add_special_tokens=False)
    responses = tokenizer.encode_batch([d.response for d in documents], add_special_tokens=False)
    out = []
    for document, prompt, response in zip(documents, prompts, responses, strict=True):
        head = [BEGIN, USER, *prompt.ids, ASSISTANT] if document.prompt else [BEGIN]
        tokens = np.asarray([*head, *response.ids, END][: SHAPE.context], np.int32)
        weights = np.ones(len(tokens), np.float32)
        weights[: len(head)] = 0.1
        weights[0] = 0
        out.append((tokens, weights))
    return out


def pack(encoded: list[tuple[np.ndarray, np.ndarray]], order: np.ndarray, length: int) -> dict[str, np.ndarray]:
    """Rows of `length` filled next-fit in the given order: tokens, weights, segments, positions (rows, length)."""
    rows: list[list[int]] = [[]]
    used = 0
    for index in order:
        size = min(len(encoded[index][0]), length)
        if used + size > length:
            rows.append([])
            used = 0
        rows[-1].append(index)
        used += size
    names = ("tokens", "segments", "positions")
    out: dict[str, np.ndarray] = {name: np.zeros((len(rows), length), np.int32) for name in names}
    out["weights"] = np.zeros((len(rows), length), np.float32)
    for row, members in enumerate(rows):
        at = 0
        for number, index in enumerate(members, 1):
            tokens, weights = (part[:length] for part in encoded[index])
            end = at + len(tokens)
            out["tokens"][row, at:end], out["weights"][row, at:end] = tokens, weights
            out["segments"][row, at:end], out["positions"][row, at:end] = number, np.arange(len(tokens))
            at = end
    return out


def loss(weights: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
    h = hidden(SHAPE, weights, None, 0.0, batch["tokens"], batch["positions"], batch["segments"])[:, :-1]
    counted = batch["weights"][:, 1:] * (batch["segments"][:, 1:] == batch["segments"][:, :-1])
    each = optax.softmax_cross_entropy_with_integer_labels(logits(SHAPE, weights, h), batch["tokens"][:, 1:])
    return jnp.sum(each * counted) / jnp.maximum(jnp.sum(counted), 1.0)


def optimizer(steps: int) -> optax.GradientTransformation:
    """AdamW with a short warm-up and a cosine decay."""
    warm_up = min(max(20, steps // 40), steps // 2)
    schedule = optax.warmup_cosine_decay_schedule(0.0, PEAK_RATE, warm_up, max(2, steps), PEAK_RATE / 50)
    return optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, b1=0.9, b2=0.98, weight_decay=WEIGHT_DECAY)
    )


def batches(encoded: list[tuple[np.ndarray, np.ndarray]], parts: list[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Batches without end: as many rows of each part, every part shuffled anew when it is used up."""
    random = np.random.default_rng(SEED)
    share = ROWS // len(parts)
    rows: list[dict[str, np.ndarray]] = [pack(encoded, random.permutation(part), SHAPE.context) for part in parts]
    at = [0] * len(parts)
    while True:
        cuts = []
        for which, part in enumerate(parts):
            if at[which] + share > len(rows[which]["tokens"]):
                rows[which], at[which] = pack(encoded, random.permutation(part), SHAPE.context), 0
            cuts.append({name: array[at[which] : at[which] + share] for name, array in rows[which].items()})
            at[which] += share
        yield {name: np.concatenate([cut[name] for cut in cuts]) for name in cuts[0]}


def train(encoded: list[tuple[np.ndarray, np.ndarray]], parts: list[np.ndarray], steps: int) -> Any:
    """The trained weights."""
    weights = initial_weights(SHAPE, SEED)
    rule = optimizer(steps)
    state = rule.init(weights)

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(weights: Any, state: Any, batch: dict[str, jax.Array]) -> tuple[Any, Any, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(weights, batch)
        updates, state = rule.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), state, value

    started = time.monotonic()
    for at, batch in zip(range(1, steps + 1), batches(encoded, parts), strict=False):
        weights, state, value = step(weights, state, batch)
        if at % 50 == 0:
            print(f"step {at} loss {float(value):.4f} {time.monotonic() - started:.0f} s", flush=True)
    return weights


def config() -> dict[str, Any]:
    """The base's `config.json`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": SHAPE.vocabulary,
        "hidden_size": SHAPE.width,
        "intermediate_size": SHAPE.inner,
        "num_hidden_layers": SHAPE.layers,
        "num_attention_heads": SHAPE.heads,
        "num_key_value_heads": SHAPE.key_value_heads,
        "head_dim": SHAPE.head_size,
        "max_position_embeddings": SHAPE.context,
        "rms_norm_eps": SHAPE.epsilon,
        "rope_theta": SHAPE.rope.base,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "attention_bias": False,
        "bos_token_id": BEGIN,
        "eos_token_id": END,
        "pad_token_id": PAD,
        "torch_dtype": "float16",
    }


def save(folder: Path, tokenizer: Tokenizer, weights: Any, card: dict[str, Any]) -> None:
    """The base as a Hugging Face folder, in fp16."""
    from safetensors.numpy import save_file

    names = {
        "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
        "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
        "attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm",
    }  # fmt: skip
    tensors = {"model.embed_tokens.weight": weights["embed"], "model.norm.weight": weights["norm"]}
    for name, leaf in weights["layers"].items():
        for layer in range(SHAPE.layers):
            tensors[f"model.layers.{layer}.{names[name]}.weight"] = leaf[layer].T
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: np.ascontiguousarray(np.asarray(value, np.float16)) for name, value in tensors.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL[BEGIN],
        "eos_token": SPECIAL[END],
        "pad_token": SPECIAL[PAD],
        "chat_template": CHAT_TEMPLATE,
        "model_max_length": SHAPE.context,
    }
    for file, value in (("config.json", config()), ("tokenizer_config.json", settings), ("base.json", card)):
        (folder / file).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_documents(file: Path, documents: list[Document]) -> None:
    """Documents of the running Python's library, for a machine that has another one."""
    rows = [[document.prompt, document.response] for document in documents]
    file.write_text(json.dumps({"python": platform.python_version(), "documents": rows}), encoding="utf-8")


def read_documents(file: Path) -> tuple[str, list[Document]]:
    """The Python version and the documents of `write_documents`."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    return stored["python"], [Document(prompt=prompt, response=response) for prompt, response in stored["documents"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[2] / "src" / "tuneline" / "trainer" / "base"
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--library", type=Path, help="the library's documents, as --save-library wrote them elsewhere")
    parser.add_argument("--save-library", type=Path, help="write the documents of this Python's library, and stop")
    arguments = parser.parse_args()
    assert read_architecture(config(), where="config.json") == SHAPE
    started = time.monotonic()
    if arguments.save_library:
        write_documents(arguments.save_library, library_documents(seed=SEED))
        return
    python, library = (
        read_documents(arguments.library)
        if arguments.library
        else (platform.python_version(), library_documents(seed=SEED))
    )
    tasks = list(task_documents(seed=SEED, count=TASKS))
    documents = library + tasks
    sample = [f"{d.prompt}\n{d.response}" for d in documents[: len(library) + 30_000]]
    tokenizer = make_tokenizer(sample)
    encoded = encode(tokenizer, documents)
    tokens = [sum(len(item[0]) for item in part) for part in (encoded[: len(library)], encoded[len(library) :])]
    print(f"{len(library)} library documents, {tokens[0]} tokens; {len(tasks)} tasks, {tokens[1]} tokens", flush=True)
    bounds = np.arange(len(documents))
    weights = train(encoded, [bounds[: len(library)], bounds[len(library) :]], arguments.steps)
    card = {
        "name": "tuneline-tiny",
        "parameters": SHAPE.parameters,
        "seed": SEED,
        "steps": arguments.steps,
        "tasks": TASKS,
        "tasks_digest": digest(tasks),
        "library": f"Python {python}",
        "library_digest": digest(library),
        "library_tokens": tokens[0],
        "task_tokens": tokens[1],
        "made_on": f"{jax.local_devices()[0].device_kind}, jax {jax.__version__}",
        "recommended": {"learning_rate": 0.005, "adapter_size": 8, "max_new_tokens": 128},
    }
    save(arguments.output, tokenizer, weights, card)
    print(f"{time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
