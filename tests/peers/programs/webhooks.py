"""The stock client's webhooks: made, listed, changed and deleted; what may not be called is refused."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient, MlflowException

client = MlflowClient()


def main() -> None:
    made = client.create_webhook(
        name="moves", url="https://8.8.8.8/hook", events=["model_version_alias.created", "registered_model.created"],
        description="tells the others", secret="a secret of some length",
    )  # fmt: skip
    found = client.get_webhook(made.webhook_id)
    assert (found.name, found.url, str(found.status)) == ("moves", "https://8.8.8.8/hook", "ACTIVE")
    assert {str(one) for one in found.events} == {"model_version_alias.created", "registered_model.created"}
    assert found.secret in (None, "")
    client.update_webhook(made.webhook_id, name="renamed", status="DISABLED", events=["model_version.created"])
    (listed,) = client.list_webhooks()
    assert (listed.name, str(listed.status), [str(one) for one in listed.events]) == (
        "renamed",
        "DISABLED",
        ["model_version.created"],
    )
    for url in ("http://169.254.169.254/latest", "https://localhost/x", "file:///etc/passwd", "ftp://example.com/"):
        with pytest.raises(MlflowException):
            client.create_webhook(name="bad", url=url, events=["registered_model.created"])
    with pytest.raises(MlflowException):
        client.create_webhook(name="bad", url="https://8.8.8.8", events=["no.such"])
    client.delete_webhook(made.webhook_id)
    assert list(client.list_webhooks()) == []
    with pytest.raises(MlflowException) as gone:
        client.get_webhook(made.webhook_id)
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"


if __name__ == "__main__":
    main()
    print("webhooks as written", flush=True)
