# Copy this file to pk_pacifica.py beside it, fill it in, then: chmod 600 keys/pk_pacifica.py
# An agent key is made at app.pacifica.fi/apikey: it trades for the account and cannot be asked for
# the account's own key.
PACIFICA_KEY = {
    "account": "",  # address of the account (Solana, base58)
    "private_key": "",  # of the agent, or of the account itself (base58)
    "api_config_key": "",  # optional: raises the rate limits, has no authority
}
