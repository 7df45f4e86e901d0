"""What a model is made of, read from the `config.json` of a Hugging Face folder.

One dataclass covers the decoder families that differ in details only: Llama, Qwen 2, 2.5 and 3, Gemma 2 and 3 (text).
Anything else is refused by name, and so is a detail (a rope scaling, an activation) that `model.py` does not compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneline.errors import Problem, UsageError

FAMILIES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3_text")
_ACTIVATIONS = {"silu": "silu", "swish": "silu", "gelu_pytorch_tanh": "gelu", "gelu_new": "gelu"}


@dataclass(frozen=True, kw_only=True)
class Rope:
    """Rotary position embedding: its base, and the scaling that stretches it to longer contexts."""

    base: float = 10_000.0
    scaling: str = "default"
    """`default`, `linear` or `llama3`."""
    factor: float = 1.0
    low_frequency_factor: float = 1.0
    high_frequency_factor: float = 4.0
    original_context: int = 8192


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The shape of a decoder and the switches in which its family differs from Llama."""

    family: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    key_value_heads: int
    head_size: int
    inner: int
    """Width of the feed-forward layer."""
    context: int
    """Longest context the model was made for, in tokens."""
    epsilon: float = 1e-6
    activation: str = "silu"
    rope: Rope = Rope()
    local_rope: Rope | None = None
    """Rope of the sliding-window layers where it differs (Gemma 3)."""
    windows: tuple[int, ...] = ()
    """Tokens each layer looks back on; 0 is all of them. Empty: every layer looks at everything."""
    tied: bool = False
    """The output head is the embedding."""
    attention_bias: bool = False
    """q, k and v have a bias (Qwen 2)."""
    head_norm: bool = False
    """q and k are normalised head by head (Qwen 3, Gemma 3)."""
    gemma: bool = False
    """Norm weights count from zero, embeddings are scaled, and norms follow each block as well."""
    attention_scale: float = 0.0
    """0: head_size ** -0.5."""
    attention_softcap: float = 0.0
    final_softcap: float = 0.0

    @property
    def linear_shapes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every linear layer of a block: what LoRA adapts."""
        query, key_value = self.heads * self.head_size, self.key_value_heads * self.head_size
        return {
            "q": (self.width, query),
            "k": (self.width, key_value),
            "v": (self.width, key_value),
            "o": (query, self.width),
            "gate": (self.width, self.inner),
            "up": (self.width, self.inner),
            "down": (self.inner, self.width),
        }

    @property
    def parameters(self) -> int:
        """Weights in the base, adapters not counted."""
        linear = sum(rows * columns for rows, columns in self.linear_shapes.values())
        norms = (4 if self.gemma else 2) * self.width + (2 * self.head_size if self.head_norm else 0)
        bias = (self.heads + 2 * self.key_value_heads) * self.head_size if self.attention_bias else 0
        embeddings = self.vocabulary * self.width * (1 if self.tied else 2)
        return embeddings + self.width + self.layers * (linear + norms + bias)


def read_architecture(config: Mapping[str, Any], *, where: str) -> Architecture:
    """The architecture that a `config.json` describes; UsageError with everything in it that is not supported."""
    if "text_config" in config and config.get("model_type") == "gemma3":
        config = {**config["text_config"], "model_type": "gemma3_text"}
    problems: list[Problem] = []
    family = str(config.get("model_type", ""))
    if family not in FAMILIES:
        fix = "use a folder of one of " + ", ".join(FAMILIES)
        raise UsageError([Problem(where=where, what=f"model_type {family!r} is not supported", fix=fix)])
    needed = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    problems += [
        Problem(where=where, what=f"{key} is missing") for key in needed if not isinstance(config.get(key), int)
    ]
    gemma = family.startswith("gemma")
    activation = str(
        config.get("hidden_activation" if gemma else "hidden_act") or ("gelu_pytorch_tanh" if gemma else "silu")
    )
    if activation not in _ACTIVATIONS:
        problems.append(
            Problem(
                where=where, what=f"activation {activation!r} is not supported", fix=f"one of {', '.join(_ACTIVATIONS)}"
            )
        )
    if config.get("quantization_config"):
        problems.append(
            Problem(
                where=where, what="quantised weights are not supported", fix="use the unquantised folder of the model"
            )
        )
    if config.get("mlp_bias") or (family == "llama" and config.get("attention_bias")):
        problems.append(Problem(where=where, what="biases in a Llama block are not supported"))
    if problems:
        raise UsageError(problems)
    heads, layers = config["num_attention_heads"], config["num_hidden_layers"]
    rope, local_rope = _ropes(config, family, where)
    query_scalar = config.get("query_pre_attn_scalar") if gemma else None
    return Architecture(
        family=family,
        vocabulary=config["vocab_size"],
        width=config["hidden_size"],
        layers=layers,
        heads=heads,
        key_value_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or config["hidden_size"] // heads,
        inner=config["intermediate_size"],
        context=int(config.get("max_position_embeddings") or 2048),
        epsilon=float(config.get("rms_norm_eps", 1e-6)),
        activation=_ACTIVATIONS[activation],
        rope=rope,
        local_rope=local_rope,
        windows=_windows(config, family, layers),
        tied=bool(config.get("tie_word_embeddings", gemma)),
        attention_bias=family == "qwen2",
        head_norm=family in ("qwen3", "gemma3_text"),
        gemma=gemma,
        attention_scale=float(query_scalar) ** -0.5 if query_scalar else 0.0,
        attention_softcap=float(config.get("attn_logit_softcapping") or 0.0) if gemma else 0.0,
        final_softcap=float(config.get("final_logit_softcapping") or 0.0) if gemma else 0.0,
    )


def _ropes(config: Mapping[str, Any], family: str, where: str) -> tuple[Rope, Rope | None]:
    # transformers 5 writes rope_parameters (by layer type for Gemma 3); older folders rope_theta and rope_scaling.
    parameters = dict(config.get("rope_parameters") or {})
    if "full_attention" in parameters:
        local = parameters.get("sliding_attention") or {}
        return _rope(parameters["full_attention"], config, where), _rope(local, config, where)
    parameters = {"rope_theta": config.get("rope_theta"), **dict(config.get("rope_scaling") or {}), **parameters}
    rope = _rope(parameters, config, where)
    if family == "gemma3_text":
        return rope, Rope(base=float(config.get("rope_local_base_freq") or 10_000.0))
    return rope, None


def _rope(parameters: Mapping[str, Any], config: Mapping[str, Any], where: str) -> Rope:
    scaling = str(parameters.get("rope_type") or parameters.get("type") or "default")
    if scaling not in ("default", "linear", "llama3"):
        raise UsageError(
            [Problem(where=where, what=f"rope scaling {scaling!r} is not supported", fix="default, linear or llama3")]
        )
    default_base = 1_000_000.0 if config.get("model_type") == "gemma3_text" else 10_000.0
    return Rope(
        base=float(parameters.get("rope_theta") or default_base),
        scaling=scaling,
        factor=float(parameters.get("factor") or 1.0),
        low_frequency_factor=float(parameters.get("low_freq_factor") or 1.0),
        high_frequency_factor=float(parameters.get("high_freq_factor") or 4.0),
        original_context=int(
            parameters.get("original_max_position_embeddings") or config.get("max_position_embeddings") or 8192
        ),
    )


def _windows(config: Mapping[str, Any], family: str, layers: int) -> tuple[int, ...]:
    window = config.get("sliding_window")
    if not window or (family.startswith("qwen") and not config.get("use_sliding_window")) or family == "llama":
        return ()
    kinds = config.get("layer_types")
    if not kinds:
        # Gemma 2 alternates, Gemma 3 has one global layer in six, Qwen slides from max_window_layers on.
        if family == "gemma2":
            kinds = ["sliding_attention" if i % 2 == 0 else "full_attention" for i in range(layers)]
        elif family == "gemma3_text":
            every = int(config.get("sliding_window_pattern") or 6)
            kinds = ["sliding_attention" if (i + 1) % every else "full_attention" for i in range(layers)]
        else:
            first = int(config.get("max_window_layers") or layers)
            kinds = ["sliding_attention" if i >= first else "full_attention" for i in range(layers)]
    windows = tuple(int(window) if kind == "sliding_attention" else 0 for kind in kinds)
    return windows if any(windows) else ()
