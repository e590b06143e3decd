"""llama.cpp's convert_hf_to_gguf.py as it shows itself: its flags, its log, its bar, its failures. Needs no torch.

What it writes is a small sound GGUF file; what it was called with, and whether it could see a key, goes
beside the script.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.models.gguf_files import gguf

SCRIPT = """#!/usr/bin/env python3
import argparse, json, os, pathlib, sys, time
import torch, transformers, numpy

parser = argparse.ArgumentParser()
parser.add_argument("--outfile", type=pathlib.Path)
parser.add_argument("--outtype", choices=["f32", "f16", "bf16", "q8_0", "tq1_0", "tq2_0", "auto"], default="auto")
parser.add_argument("model")
args = parser.parse_args()
seen = {"args": sys.argv[1:], "token": os.environ.get("HF_TOKEN"), "offline": os.environ.get("HF_HUB_OFFLINE")}
(pathlib.Path(__file__).parent / "seen.json").write_text(json.dumps(seen))
say = lambda text: print(text, file=sys.stderr, flush=True)
say("INFO:hf-to-gguf:Loading model: " + pathlib.Path(args.model).name)
config = json.loads((pathlib.Path(args.model) / "config.json").read_text())
architecture = config["architectures"][0]
say("INFO:hf-to-gguf:Model architecture: " + architecture)
if architecture == "Unheard":
    say("ERROR:hf-to-gguf:Model Unheard is not supported")
    sys.exit(1)
say("INFO:hf-to-gguf:blk.0.attn_q.weight, torch.bfloat16 --> F16, shape = {576, 576}")
data = bytes.fromhex("HEX")
with args.outfile.open("wb") as file:
    for percent in (0, 25, 50, 75, 100):
        bar = f"\\rWriting: {percent:3d}%|##        | {percent}M/100M [00:01<00:03, 25.0Mbyte/s]"
        print(bar, end="", file=sys.stderr, flush=True)
        time.sleep(config.get("pause", 0))
    file.write(data if architecture != "Torn" else data[:40])
say("")
say("INFO:hf-to-gguf:Model successfully exported to " + str(args.outfile))
"""


def install(folder: Path, modules: tuple[str, ...] = ("torch", "transformers", "numpy")) -> Path:
    """The script in that folder, with a Python of its own that has these modules, all empty."""
    empty = folder / "modules"
    for name in modules:
        (empty / name).mkdir(parents=True)
        (empty / name / "__init__.py").touch()
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    # -S: no packages but these
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{empty}" exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    script = folder / "convert_hf_to_gguf.py"
    script.write_text(SCRIPT.replace("HEX", gguf().hex()))
    return script


def hub_folder(folder: Path, architecture: str = "LlamaForCausalLM", **config: object) -> Path:
    """A Hugging Face folder: its weights are none, which the stand-in does not mind."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture], **config}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(1000))
    return folder
