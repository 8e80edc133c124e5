"""What a tensor is in its model: a layer and a role, the same for every way of naming them.

Names are those of Hugging Face (llama, mistral, qwen, gemma, phi, gpt-neox, gpt-2, bert ...), of GGUF, and of Flax. What is not known keeps
its own name as its role.
"""

from __future__ import annotations

import re

_LAYER = re.compile(
    r"(?:^|\.)(?:layers?|blk|h|block|blocks|layer|decoder_layers|encoder_layers|transformer_layers)[._](\d{1,5})(?=\.|_|$)"
)
_ROLES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), role)
    for pattern, role in (
        (r"lora_?a\b", "lora_a"),
        (r"lora_?b\b", "lora_b"),
        (
            r"(?:embed_tokens|token_embd|\bwte|word_embeddings|tok_embeddings|embed_in|token_embedder)(?!_?norm)",
            "embedding",
        ),
        (r"(?:embed_positions|\bwpe|position_embd|position_embeddings)", "position"),
        (r"(?:lm_head|^output\.weight|embed_out|output_layer)", "head"),
        (r"(?:post_attention_layernorm|ffn_norm|\bln_2|pre_feedforward_layernorm|post_attention_norm)", "ffn_norm"),
        (r"(?:post_feedforward_layernorm|post_ffw_norm)", "post_ffn_norm"),
        (r"(?:q_norm|k_norm)", "qk_norm"),
        (r"(?:input_layernorm|attn_norm|\bln_1|attention_norm)", "attn_norm"),
        (r"(?:^(?:model\.)?norm\.|output_norm|ln_f|final_layer_?norm)", "final_norm"),
        (r"(?:qkv_proj|attn_qkv|query_key_value|c_attn|Wqkv)", "attn_qkv"),
        (r"(?:q_proj|attn_q\b|\bwq\b|query|\bq\b)", "attn_q"),
        (r"(?:k_proj|attn_k\b|\bwk\b|\bkey|\bk\b)", "attn_k"),
        (r"(?:v_proj|attn_v\b|\bwv\b|\bvalue|\bv\b)", "attn_v"),
        (
            r"(?:self_attn\.o_proj|attn_output|o_proj|\bwo\b|attention\.dense|attn\.c_proj|attention\.output|out_proj)",
            "attn_output",
        ),
        (r"(?:gate_up_proj)", "ffn_gate_up"),
        (r"(?:gate_proj|ffn_gate\b|\bw1\b)", "ffn_gate"),
        (r"(?:up_proj|ffn_up\b|\bw3\b|dense_h_to_4h|c_fc|\bfc1\b|intermediate\.dense)", "ffn_up"),
        (r"(?:down_proj|ffn_down\b|\bw2\b|dense_4h_to_h|mlp\.c_proj|\bfc2\b|output\.dense)", "ffn_down"),
    )
)

KNOWN_ROLES = frozenset(role for _, role in _ROLES)


def place_of(name: str) -> tuple[int | None, str]:
    """Return (layer, role). The layer is None for tensors outside of layers.

    >>> place_of("model.layers.3.self_attn.q_proj.weight"), place_of("blk.3.attn_q.weight")
    ((3, 'attn_q'), (3, 'attn_q'))
    >>> place_of("token_embd.weight"), place_of("transformer.h.0.mlp.c_proj.bias")
    ((None, 'embedding'), (0, 'ffn_down.bias'))
    """
    match = _LAYER.search(name)
    layer = int(match[1]) if match else None
    rest = name[match.end() :].lstrip("._") if match else name
    ending = ".bias" if rest.endswith((".bias", "_bias")) else ""
    for pattern, role in _ROLES:
        if pattern.search(rest if match else name):
            return layer, _expert(rest, role) + (ending or _part(rest))
    return layer, rest.removesuffix(".weight") or name


# What belongs to a quantised matrix, or to training it, is no matrix of that role.
_PARTS = re.compile(
    r"\.((?:weight_|input_|output_|k_|v_)?(?:scales?|scale_inv|zeros?|zero_point)|qzeros|qweight|weight_packed|weight_shape|g_idx|"
    r"absmax|nested_absmax|quant_map|nested_quant_map|quant_state[\w.]*|SCB|weight\.\w[\w.]*|exp_avg|exp_avg_sq|momentum_buffer)$"
)


def _part(rest: str) -> str:
    match = _PARTS.search(rest)
    return "." + match[1] if match else ""


def _expert(rest: str, role: str) -> str:
    """Experts of one layer are roles of their own."""
    match = re.search(r"experts?[._](\d{1,4})\b", rest)
    return f"{role}.expert{match[1]}" if match else role
