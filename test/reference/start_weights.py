"""Golden start weights: a tiny ViT saved by transformers and by timm, with the logits each computes (formats.md sections 1 and 7).

Printed with transformers, timm and torch as installed beside the benchmark (/opt/peer):
    /opt/peer/bin/python test/reference/start_weights.py test/reference/start_weights
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

import without_torchvision  # noqa: F401
import timm

ViTConfig, ViTForImageClassification = transformers.ViTConfig, transformers.ViTForImageClassification

OUT = Path(sys.argv[1])
torch.manual_seed(7)
INPUTS = torch.randn(2, 1, 8, 8)


def shake(model: torch.nn.Module) -> torch.nn.Module:
    """Zero biases and unit scales would hide a mix-up."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


config = ViTConfig(
    hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, image_size=8, patch_size=4,
    num_channels=1, layer_norm_eps=1e-5, hidden_act="gelu", num_labels=3,
)
hugging_face = shake(ViTForImageClassification(config))
hugging_face.save_pretrained(OUT / "hf")
(OUT / "hf" / "generation_config.json").unlink(missing_ok=True)

own = shake(timm.models.VisionTransformer(
    img_size=8, patch_size=4, in_chans=1, num_classes=3, embed_dim=8, depth=2, num_heads=2, mlp_ratio=2.5,
))
(OUT / "timm").mkdir(parents=True, exist_ok=True)
save_file({name: tensor.contiguous() for name, tensor in own.state_dict().items()}, OUT / "timm" / "model.safetensors", {"format": "pt"})
(OUT / "timm" / "config.json").write_text(json.dumps({
    "architecture": "vit_tiny_patch16_224",
    "model_args": {"img_size": 8, "patch_size": 4, "in_chans": 1, "embed_dim": 8, "depth": 2, "num_heads": 2, "mlp_ratio": 2.5},
}, indent=1))

# What transformers since 5.9 calls the same tensors.
def renamed(name: str) -> str:
    for old, new in [
        ("vit.encoder.layer.", "vit.layers."), ("attention.attention.query", "attention.q_proj"),
        ("attention.attention.key", "attention.k_proj"), ("attention.attention.value", "attention.v_proj"),
        ("attention.output.dense", "attention.o_proj"), ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2"),
    ]:
        name = name.replace(old, new)
    return name

saved = load_file(OUT / "hf" / "model.safetensors")
save_file({renamed(name): tensor for name, tensor in saved.items()}, OUT / "renamed.safetensors", {"format": "pt"})

with torch.no_grad():
    logits = {"hf": hugging_face(pixel_values=INPUTS).logits.tolist(), "timm": own(INPUTS).tolist()}
(OUT / "logits.json").write_text(json.dumps({
    "versions": {"transformers": transformers.__version__, "timm": timm.__version__, "torch": torch.__version__},
    "inputs": INPUTS.tolist(), "logits": logits,
}))
print(sorted(saved)[:4], {name: list(tensor.shape) for name, tensor in list(saved.items())[:3]})
