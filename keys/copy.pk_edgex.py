# Copy this file to pk_edgex.py beside it, fill it in, then: chmod 600 keys/pk_edgex.py
# An account is of v2 or still of v1: fill in account_id and the keys of that one only.
EDGEX_KEY = {
    "account_id": "",  # a number
    # v2: API Management, Perps V2, SDK Signer, Detail; shown once.
    "api_key": "",
    "passphrase": "",
    "secret": "",
    "signer_private_key": "",  # "Private Key" in that window: 0x and 64 digits; it can trade
    # v1: the account's Stark private key, hexadecimal.
    "stark_private_key": "",
}
