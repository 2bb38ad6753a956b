"""cairo-lang's answers about the Stark curve: JSON in, JSON out. Runs in its own environment."""

import json
import sys

from starkware.cairo.common.poseidon_hash import poseidon_hash_many
from starkware.crypto.signature.signature import pedersen_hash, private_to_stark_key, sign, verify


def main() -> None:
    given = json.load(sys.stdin)
    report = {
        "pedersen": [pedersen_hash(*pair) for pair in given["pairs"]],
        "poseidon": [poseidon_hash_many(values) for values in given["lists"]],
        "public": [private_to_stark_key(key) for key in given["keys"]],
        "signed": [sign(hashed, key) for key, hashed in given["messages"]],
        "seeded": [sign(hashed, key, seed=32) for key, hashed in given["messages"]],
        "verified": [verify(hashed, r, s, public) for public, hashed, r, s in given["signatures"]],
    }
    json.dump(report, sys.stdout)


main()
