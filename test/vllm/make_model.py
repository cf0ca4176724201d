"""Makes a tiny Qwen3 with random weights and its tokenizer, downloading nothing.

    make_model.py FOLDER

The text it writes is noise; its timing, streams, errors and caches are those of any model. The
tokenizer is trained on the Python standard library's source, the weights come from a fixed seed:
the same Python makes the same model.
"""

import json
import pathlib
import sys
import sysconfig

VOCABULARY = 2048
POSITIONS = 8192
HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 128, 2, 4, 2, 32
END_OF_TEXT, TURN_START, TURN_END = SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""


def train_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    sources = sorted(path for path in pathlib.Path(sysconfig.get_paths()["stdlib"]).glob("*.py")
                     if path.stat().st_size < 200_000)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        (path.read_text(encoding="utf-8", errors="replace") for path in sources),
        trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def configuration(tokenizer):
    return {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "torch_dtype": "float32",
        "vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS,
        "hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN, "hidden_act": "silu",
        "num_hidden_layers": LAYERS, "max_window_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "rms_norm_eps": 1e-6,
        "initializer_range": 0.02, "rope_theta": 1000000.0, "rope_scaling": None,
        "use_sliding_window": False, "sliding_window": None, "use_cache": True,
        "tie_word_embeddings": False, "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": tokenizer.token_to_id(END_OF_TEXT),
        "pad_token_id": tokenizer.token_to_id(END_OF_TEXT),
        "eos_token_id": tokenizer.token_to_id(TURN_END)}


def weights():
    import torch

    generator = torch.Generator().manual_seed(7)

    def random(*shape, scale=0.08):
        return torch.randn(*shape, generator=generator) * scale

    tensors = {"model.embed_tokens.weight": random(VOCABULARY, HIDDEN, scale=1.0),
               "model.norm.weight": torch.ones(HIDDEN),
               "lm_head.weight": random(VOCABULARY, HIDDEN, scale=0.2)}
    shapes = {"self_attn.q_proj": (HEADS * HEAD_DIM, HIDDEN),
              "self_attn.k_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
              "self_attn.v_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
              "self_attn.o_proj": (HIDDEN, HEADS * HEAD_DIM),
              "mlp.gate_proj": (2 * HIDDEN, HIDDEN),
              "mlp.up_proj": (2 * HIDDEN, HIDDEN),
              "mlp.down_proj": (HIDDEN, 2 * HIDDEN)}
    norms = {"input_layernorm": HIDDEN, "post_attention_layernorm": HIDDEN,
             "self_attn.q_norm": HEAD_DIM, "self_attn.k_norm": HEAD_DIM}
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            tensors[f"model.layers.{layer}.{name}.weight"] = random(*shape)
        for name, width in norms.items():
            tensors[f"model.layers.{layer}.{name}.weight"] = torch.ones(width)
    return tensors


def main():
    from safetensors.torch import save_file

    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    files = {
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": POSITIONS,
            "eos_token": TURN_END, "pad_token": END_OF_TEXT,
            "additional_special_tokens": SPECIAL[1:], "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE},
        "generation_config.json": {"eos_token_id": tokenizer.token_to_id(TURN_END),
                                   "pad_token_id": tokenizer.token_to_id(END_OF_TEXT)},
        "config.json": configuration(tokenizer)}
    save_file(weights(), str(folder / "model.safetensors"), metadata={"format": "pt"})
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
