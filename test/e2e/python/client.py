"""Calls a Valinor server with the stubs that grpc_tools generates: client.py STUBS TARGET.

Prints one object of JSON with what came of each scenario. STUBS is the directory of the generated code, TARGET host:port.
"""

import json
import sys

stubs, target = sys.argv[1:3]
sys.path.insert(0, stubs)

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from valinor.v1 import (
    agent_proxy_pb2 as api,
    agent_proxy_pb2_grpc,
    agent_registry_pb2 as registry_api,
    agent_registry_pb2_grpc,
)

TIMEOUT = 20  # seconds for each call
channel = grpc.insecure_channel(target)
proxy = agent_proxy_pb2_grpc.AgentProxyStub(channel)
registry = agent_registry_pb2_grpc.AgentRegistryStub(channel)


def user(text):
    return api.Message(role="user", content=text)


def send():
    answer = proxy.SendMessage(
        api.SendMessageRequest(agent_id="demo", message=user("!words 3")), timeout=TIMEOUT
    )
    return {"content": answer.content, "finish_reason": answer.finish_reason}


def stream_and_resume():
    """Leaves a stream after three events, and goes on with the fourth."""
    request = api.StreamRequest(agent_id="demo", request_id="from-python", message=user("!words 8"))
    events = []
    call = proxy.Stream(request, timeout=TIMEOUT)
    for event in call:
        events.append(describe(event))
        if event.sequence == 3:
            call.cancel()  # as a broken connection would
            break
    request.after_sequence = 3
    rest = [describe(event) for event in proxy.Stream(request, timeout=TIMEOUT)]
    return {"first": events, "rest": rest}


def describe(event):
    kind = event.WhichOneof("event")
    text = event.text_delta.text if kind == "text_delta" else ""
    return {"kind": kind, "sequence": event.sequence, "text": text}


def error_of(call):
    """What the error of a call says: its code, and the ErrorInfo and RetryInfo among its details."""
    try:
        call()
    except grpc.RpcError as error:
        told = {"code": error.code().name}
        for detail in rpc_status.from_call(error).details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                told.update(reason=info.reason, domain=info.domain, metadata=dict(info.metadata))
            if detail.Unpack(retry):
                told["retry_seconds"] = retry.retry_delay.seconds
        return told
    return None


def failing(agent_id, text):
    request = api.SendMessageRequest(agent_id=agent_id, message=user(text))
    return lambda: proxy.SendMessage(request, timeout=TIMEOUT)


def failing_stream():
    request = api.StreamRequest(agent_id="demo", message=user("!fail 500"))
    return list(proxy.Stream(request, timeout=TIMEOUT))


def watch():
    """Reads the snapshot, makes an agent, and reads on until the watch tells of it."""
    call = registry.WatchAgents(registry_api.WatchAgentsRequest(), timeout=TIMEOUT)
    snapshot, later = [], []
    complete = False
    for event in call:
        kind = event.WhichOneof("event")
        if kind == "agent":
            (later if complete else snapshot).append(event.agent.id)
        if kind == "snapshot_complete":
            complete = True
            agent = registry_api.Agent(id="from-python", address="tcp://127.0.0.1:1")
            registry.CreateAgent(registry_api.CreateAgentRequest(agent=agent), timeout=TIMEOUT)
        if "from-python" in later:
            call.cancel()
            break
    return {"snapshot": snapshot, "later": sorted(set(later) - set(snapshot))}


print(
    json.dumps(
        {
            "send": send(),
            "stream": stream_and_resume(),
            "unknown agent": error_of(failing("nobody", "hello")),
            "stopped agent": error_of(failing("stopped", "hello")),
            "failed run": error_of(failing_stream),
            "watch": watch(),
        }
    )
)
