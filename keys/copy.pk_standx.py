# Copy this file to pk_standx.py beside it, fill it in, then: chmod 600 keys/pk_standx.py
# Either a wallet, which signs in by itself, or a token with its key, made at
# standx.com/user/session: then no wallet key is on this machine, and the token ends within days.
STANDX_KEY = {
    "wallet_private_key": "",  # of the wallet: 0x and 64 digits (BNB Chain), base58 (Solana)
    "chain": "",  # optional: bsc (if left out) or solana
    "token": "",  # or these two, which belong together
    "request_private_key": "",  # as the page shows it: base58, hex or base64
}
