"""The data plane of serving: one process that answers predictions, and what it reads and writes.

It opens no metadata store and holds no credentials. It reads *route documents* and models from the serving area, a
folder that the control plane writes; it writes the *prediction log* there, and nothing else. So it starts in under a
second, outlives the control plane, and the two meet in files alone:

    serving/
      models/<hex>/manifest.json, model.*        a served model under the digest of its manifest; read-only
      routes/<endpoint>/<n>.json                 numbered, immutable route documents
      routes/<endpoint>/current                  the number in force and its digest; swapped by rename
      predictions/<server>/00000001.seg          the prediction log of one server process
"""
