"""Files and folders as datasets: a manifest is an ordinary table, and the bytes are blobs beside the artifacts'.

A landing looks at a folder, reads what is new, and writes rows: path, digest, size, and where the bytes are. Small files are
packed into segments of some tens of megabytes, one blob each, because a hundred thousand blobs are a hundred thousand flushes;
a large file is a blob of its own. So whatever holds of datasets (versions, branches, comparing, SQL, clean-up) holds of files.
"""
