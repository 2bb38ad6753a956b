"""Alarms to the operator, and his few words back.

The log and a file always have every alarm; Telegram, Discord and a webhook of one's own get it
where they are configured. No channel waits for another, and the hedge waits for none.

    config.py    which channels there are; secrets from the environment or the key file
    channels.py  one alarm as each service wants it, and what its answer means; pure
    pages.py     what is said once, what is repeated, and until when; pure
    sender.py    one channel: its queue, its retries
    commands.py  who may say what; pure
    control.py   reads Telegram
    service.py   `Alerts`, all of it together
"""

from __future__ import annotations

from mpdex.alerts.config import AlertConfig, read_config
from mpdex.alerts.service import Alerts

__all__ = ["AlertConfig", "Alerts", "read_config"]
