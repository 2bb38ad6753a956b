# Copy this file to pk_alerts.py beside it, fill in what you use, then: chmod 600 keys/pk_alerts.py
# docs/alerts.md says where each comes from.
ALERTS_KEY = {
    "telegram_token": "",  # of the bot, from @BotFather
    "telegram_chat": "",  # id of the chat that alarms go to; may stand in alerts.toml instead
    "discord_url": "",  # of a channel's webhook
    "webhook_url": "",  # of your own
    "webhook_authorization": "",  # value of its Authorization header, if it needs one
    "proxy": "",  # http://, socks4:// or socks5:// URL, if the services need one
}
