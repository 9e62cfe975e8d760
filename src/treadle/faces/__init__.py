"""What a person or a client touches: the command line, the HTTP API, the client."""
