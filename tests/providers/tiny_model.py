"""Makes a tiny language model with a real tokenizer in a folder, and says what Transformers itself generates with it.

Run as a program, in a process of its own: torch stays out of the tests' process. Arguments: the folder, the question.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>"
SPECIAL = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
TEXT = "The keeper of the lighthouse lights the lamp at dusk. Käse, Öl und ein Schiff 🚢 am Horizont. " * 20


def main(folder: Path, question: str) -> None:
    """Save the model and print the expected answer as JSON."""
    import torch
    import transformers
    from tokenizers import ByteLevelBPETokenizer

    engine: Any = transformers
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator([TEXT], vocab_size=400, special_tokens=SPECIAL, show_progress=False)
    tokenizer = engine.PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, eos_token="<|end|>", chat_template=TEMPLATE, model_max_length=2048
    )
    torch.manual_seed(7)
    torch.set_num_threads(1)
    config = engine.LlamaConfig(
        vocab_size=400,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.5,
        eos_token_id=0,
        bos_token_id=None,
    )
    net = engine.LlamaForCausalLM(config)
    net.eval()
    with torch.no_grad():
        net.lm_head.weight[: len(SPECIAL)] = 0.0  # never the likeliest: its answers end where they are told to
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    prompt = tokenizer(f"<|user|>{question}<|end|><|assistant|>", return_tensors="pt")["input_ids"]
    found = net.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=60, do_sample=False)
    ids = found[0, prompt.shape[1] :].tolist()
    text = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    sys.stdout.write(json.dumps({"text": text, "prompt_tokens": prompt.shape[1], "tokens": len(ids)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
