# Copy this file to pk_lighter.py beside it, fill it in, then: chmod 600 keys/pk_lighter.py
# Made at app.lighter.xyz, Tools, API keys. Take an index of 4 or more: the apps use 0 to 3.
LIGHTER_KEY = {
    "account_index": "",  # the account's number, digits only
    "api_key_index": "",  # of the key, 4 to 254
    "private_key": "",  # of the API key, 80 hexadecimal digits; not the wallet's
    "tier": "",  # standard, plus or premium; standard if left empty
}
