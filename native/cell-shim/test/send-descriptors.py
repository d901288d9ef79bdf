"""Connects to the socket of argv[1], sends the frames of argv[2] (hex) with descriptors, and waits to be hung up on."""

import os
import socket
import sys

connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.connect(sys.argv[1])
descriptors = [os.open("/dev/null", os.O_RDONLY) for _ in range(int(sys.argv[3]))]
socket.send_fds(connection, [bytes.fromhex(sys.argv[2])], descriptors)
try:
    while connection.recv(65536):
        pass
except ConnectionResetError:
    pass
