"""Looks for credentials in what git tracks; the judge is detect-secrets.

Test vectors are made of throwaway keys and are left out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = ("test_exchanges/vectors/",)
# Tests and benchmarks are full of throwaway keys and digests: there, only what looks like a
# provider's own credential counts.
THROWAWAY = ("test_exchanges/", "bench/")
ENTROPY = ("Hex High Entropy String", "Base64 High Entropy String", "Secret Keyword")
# How documentation and proxy doubles spell "a password goes here".
PLACEHOLDERS = ("user:password@", "user:hidden-word@", "user:s3cret@", ":hunter2@")


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = SecretsCollection()
    with default_settings():
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file() and not name.startswith(LEFT_OUT):
                found.scan_file(str(ROOT / name))
    failed = False
    for name, secret in found:
        where = Path(name).relative_to(ROOT).as_posix()
        if where.startswith(THROWAWAY) and secret.type in ENTROPY:
            continue
        line = (ROOT / name).read_text().splitlines()[secret.line_number - 1]
        if any(word in line for word in PLACEHOLDERS):
            continue
        failed = True
        sys.stdout.write(f"{where}:{secret.line_number}: {secret.type}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
