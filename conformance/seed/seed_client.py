"""A client that knows the seed's messages alone, in another implementation of gRPC.

Reads calls from standard input, a JSON object a line, and writes an answer for each: {"ok": message}
(for a stream a list of messages) or {"code": status, "message": text}.
"""

import json
import sys

import grpc
import observe_pb2
import observe_pb2_grpc
import runtime_pb2
import runtime_pb2_grpc
from google.protobuf.json_format import MessageToDict, ParseDict

TARGET, CA, CERTIFICATE, KEY = sys.argv[1:]
SECONDS = 30


def read(path):
    with open(path, "rb") as file:
        return file.read()


def to_dict(message):
    return MessageToDict(message, preserving_proto_field_name=True)


def answer(channel, call):
    """What the daemon says to {"method": name, "request": message}."""
    if call["method"].startswith("Get"):
        stub, messages = observe_pb2_grpc.ObserveStub(channel), observe_pb2
    else:
        stub, messages = runtime_pb2_grpc.CellServiceStub(channel), runtime_pb2
    request = ParseDict(call["request"], getattr(messages, call["type"])())
    response = getattr(stub, call["method"])(request, timeout=SECONDS)
    return [to_dict(item) for item in response] if call["stream"] else to_dict(response)


def main():
    credentials = grpc.ssl_channel_credentials(read(CA), read(KEY), read(CERTIFICATE))
    options = [("grpc.ssl_target_name_override", "localhost")]
    with grpc.secure_channel(TARGET, credentials, options) as channel:
        for line in sys.stdin:
            try:
                said = {"ok": answer(channel, json.loads(line))}
            except grpc.RpcError as error:
                said = {"code": error.code().name, "message": error.details()}
            print(json.dumps(said), flush=True)


main()
