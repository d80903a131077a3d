# SPDX-License-Identifier: GPL-2.0
"""Facts about the machine and the kernels that figures are of; in the builder.

    facts.py RELEASE COMMIT
"""
import datetime
import json
import sys

OPTIONS = ["CPU_MITIGATIONS", "MITIGATION_RETPOLINE", "MITIGATION_RETHUNK", "X86_KERNEL_IBT",
           "STACKPROTECTOR_STRONG", "CC_OPTIMIZE_FOR_PERFORMANCE", "RUST_OVERFLOW_CHECKS", "SMP", "PREEMPT"]
TEXTS = ["CC_VERSION_TEXT", "RUSTC_VERSION_TEXT"]


def read_config(path):
    """Options that are set, and their values."""
    with open(path) as file:
        pairs = (line.rstrip("\n").split("=", 1) for line in file if line.startswith("CONFIG_"))
        return {key.removeprefix("CONFIG_"): value.strip('"') for key, value in pairs}


def cpu():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def main():
    release, commit = sys.argv[1:]
    kernels = {}
    for name, path in (("stock", "stock.config"), ("x86", "x86/.config"), ("um", "um/.config")):
        config = read_config(f"/cache/kernel-{release}/{path}")
        kernels[name] = {option: config.get(option, "n") for option in OPTIONS} | \
            {option: config.get(option, "?") for option in TEXTS}
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    print(json.dumps({"kernel": release, "commit": commit, "date": now, "cpu": cpu(), "kernels": kernels}))


main()
