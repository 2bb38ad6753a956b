# Copy this file to pk_pacifica.py beside it, fill it in, then: chmod 600 keys/pk_pacifica.py
# An agent key is made at app.pacifica.fi/apikey. It trades for the account; as it can withdraw,
# too, give it an IP whitelist there.
PACIFICA_KEY = {
    "account": "",  # address of the account (Solana, base58)
    "private_key": "",  # of the agent, or of the account itself (base58)
    "api_config_key": "",  # optional: raises the rate limits, has no authority
}
