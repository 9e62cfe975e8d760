"""Mail by SMTP, through the one server that the operator names."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from treadle.systems.monitor.errors import NoMailServer

TIMEOUT_S = 20.0
_PORTS = {"smtp": 587, "smtps": 465}


class Mailer:
    """Sends a mail. url: smtp://user:password@host:port (STARTTLS where the server offers it), smtps:// for TLS from the start."""

    def __init__(self, url: str, sender: str) -> None:
        self._url, self._sender = url, sender

    def send(self, to: str, subject: str, text: str) -> None:
        """Raises NoMailServer where none is set, OSError and smtplib.SMTPException for what the server does not take."""
        if not self._url:
            raise NoMailServer(
                "There is no mail server to send an alert through.",
                fix="Set smtp_url, such as smtp://user:password@mail.example.org:587.",
            )
        parts = urlsplit(self._url)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, to, subject
        mail.set_content(text)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        with self._connect(parts.scheme, host, port) as server:
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)

    def _connect(self, scheme: str, host: str, port: int) -> smtplib.SMTP:
        if scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        server.ehlo()
        return server
