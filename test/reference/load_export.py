"""Loads exports as their users would and prints what they compute: the oracle of test/exchange/interop.test.ts.

    python load_export.py hf=FOLDER peft=FOLDER merged=FOLDER timm=FOLDER peft-freeze=FOLDER peft-timm=FOLDER < inputs.json

Inputs: [n][channels][height][width], normalised. Prints one JSON object: for each, logits, and what the library missed, did not expect or
warned of. peft-freeze has more than adapters in its adapter, peft-timm stands on a timm folder. Seen with transformers 5.24, peft 0.21,
timm 1.0 and torch 2.13; any of them may be newer.
"""

import json
import logging
import os
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from peft import PeftModel  # noqa: E402
from peft.tuners.lora import LoraLayer  # noqa: E402
from peft.utils import ModulesToSaveWrapper  # noqa: E402
from transformers import ViTForImageClassification  # noqa: E402

import without_torchvision  # noqa: E402, F401
import timm  # noqa: E402

torch.set_num_threads(1)
inputs = torch.tensor(json.load(sys.stdin), dtype=torch.float32)
said = []


class Keep(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


for name in ("transformers", "transformers.modeling_utils", "timm"):
    logging.getLogger(name).addHandler(Keep())


def load_hf(place, told):
    model, info = ViTForImageClassification.from_pretrained(place, output_loading_info=True)
    told.update({key: sorted(map(str, info[key])) for key in ("missing_keys", "unexpected_keys", "mismatched_keys")})
    told["labels"] = [model.config.id2label[i] for i in range(model.config.num_labels)]
    return model.eval()


def load_timm(folder):
    return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()


def load_peft(base, told):
    model = PeftModel.from_pretrained(base, "adapter").eval()
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    told["ranks"] = {name: [layer.r["default"], layer.lora_alpha["default"]] for name, layer in layers.items()}
    told["saved"] = [name for name, module in model.named_modules() if isinstance(module, ModulesToSaveWrapper)]
    return model


def logits(kind, folder, told):
    os.chdir(folder)
    if kind == "timm":
        return load_timm(folder)(inputs)
    if kind == "peft-timm":
        return load_peft(load_timm("base"), told)(inputs)
    if kind in ("peft", "peft-freeze"):
        return load_peft(load_hf("base", told), told)(pixel_values=inputs).logits
    return load_hf(os.path.join(folder, "merged") if kind == "merged" else folder, told)(pixel_values=inputs).logits


result = {}
places = [argument.split("=", 1) for argument in sys.argv[1:]]
for kind, folder in [(kind, os.path.abspath(folder)) for kind, folder in places]:
    said.clear()
    told = {}
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        told["logits"] = logits(kind, folder, told).tolist()
    about_keys = {str(warning.message) for warning in caught if "key" in str(warning.message).lower()}
    told["warnings"] = sorted(about_keys | {line for line in said if "weights" in line and "Loading" not in line})
    result[kind] = told
print(json.dumps(result))
