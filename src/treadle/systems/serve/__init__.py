"""Serving: endpoints with revisions, a data plane that answers, a log that remembers every prediction.

`runtime/` is the data plane, a process of its own that opens no store. The rest is the control plane: deploy, roll back,
write route documents, ship the prediction log, replay. This module hands its names out lazily, for the data plane passes
through here on its way and must not pay for the control plane.
"""
