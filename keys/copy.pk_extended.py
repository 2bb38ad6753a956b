# Copy this file to pk_extended.py beside it, fill it in, then: chmod 600 keys/pk_extended.py
# All four are shown at app.extended.exchange, API management; each sub-account has its own.
EXTENDED_KEY = {
    "api_key": "",
    "private_key": "",  # Stark private key, hexadecimal
    "public_key": "",  # Stark public key, hexadecimal
    "vault": "",  # vault number
}
