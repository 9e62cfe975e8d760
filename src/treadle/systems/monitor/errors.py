"""What can go wrong while watching.

TreadleError
├── InvalidInput
│   ├── UnfitReference      a reference that no window can be compared with
│   ├── UnfitColumn         a watched column that is missing, or of a type that cannot be read as told
│   ├── UnfitWindow         no window of the monitor, or counts over other bins
│   └── UnfitRoute          a route that leads nowhere, or a silence without an end
├── NotFound
│   ├── MonitorNotFound
│   ├── AlertNotFound
│   └── RouteNotFound
└── Conflict
    ├── NoMailServer        alerts are to be mailed, and no server is named
    ├── MonitorExists       the name is taken
    └── AlertClosed         what is resolved cannot be acknowledged
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound


class UnfitMonitor(InvalidInput):
    code = "monitor.unfit_monitor"


class UnfitReference(InvalidInput):
    code = "monitor.unfit_reference"


class UnfitColumn(InvalidInput):
    code = "monitor.unfit_column"


class UnfitWindow(InvalidInput):
    code = "monitor.unfit_window"


class MonitorNotFound(NotFound):
    code = "monitor.not_found"


class AlertNotFound(NotFound):
    code = "alert.not_found"


class MonitorExists(Conflict):
    code = "monitor.exists"


class AlertClosed(Conflict):
    code = "alert.closed"


class UnfitRoute(InvalidInput):
    code = "alert.unfit_route"


class RouteNotFound(NotFound):
    code = "alert.route_not_found"


class NoMailServer(Conflict):
    code = "alert.no_mail_server"
