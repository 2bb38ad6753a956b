# Copy this file to pk_backpack.py beside it, fill it in, then: chmod 600 keys/pk_backpack.py
# Made at backpack.exchange, Settings, API keys.
BACKPACK_KEY = {
    "api_key": "",  # public key, base64
    "secret_key": "",  # private key, base64
}
