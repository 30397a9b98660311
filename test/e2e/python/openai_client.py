"""Uses the official OpenAI package against a server and prints what came of it, one JSON object by the names of the scenarios.

openai_client.py BASE_URL KEY KEY_OF_A_VIEWER RUNS_OF_A_KEY
"""

import asyncio
import json
import sys
import uuid

import openai
from openai import AsyncOpenAI, OpenAI

base_url, key, viewer_key, runs = sys.argv[1:5]
client = OpenAI(base_url=base_url, api_key=key)

LOOK = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}


def user(content):
    return {"role": "user", "content": content}


def create(messages, **more):
    turns = [user(messages)] if isinstance(messages, str) else messages
    return client.chat.completions.create(model="demo", messages=turns, **more)


def completion():
    answer = create("!echo hi there")
    return {
        "content": answer.choices[0].message.content,
        "finish_reason": answer.choices[0].finish_reason,
        "tokens": answer.usage.completion_tokens,
        "named": answer.id == f"chatcmpl-{answer._request_id}",
    }


def stream():
    chunks = list(create("!words 40", stream=True, stream_options={"include_usage": True}))
    return {
        "role": chunks[0].choices[0].delta.role,
        "text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "finish_reason": chunks[-2].choices[0].finish_reason,
        "tokens": chunks[-1].usage.completion_tokens,
    }


def round_trip(**more):
    turns = [user('!tool look {"at":"sky"}')]
    asked = create(turns, tools=[LOOK], **more).choices[0]
    call = asked.message.tool_calls[0]
    turns += [asked.message, {"role": "tool", "tool_call_id": call.id, "content": "the sky is blue"}]
    answer = create(turns, tools=[LOOK], **more).choices[0]
    return {
        "asked": [asked.finish_reason, call.function.name, json.loads(call.function.arguments)],
        "answer": answer.message.content,
    }


def streamed_tool():
    with client.chat.completions.stream(model="demo", messages=[user('!tool look {"at":"sky"}')], tools=[LOOK]) as events:
        final = events.get_final_completion()
    return {"name": final.choices[0].message.tool_calls[0].function.name}


def two_turns():
    name = f"ann+{uuid.uuid4()}@example.com"
    first = create("!echo one", user=name).choices[0].message
    second = create([user("!echo one"), first, user("!echo two")], user=name).choices[0].message
    return {"answers": [first.content, second.content]}


def history():
    turns = [user("my name is Ann"), {"role": "assistant", "content": "hello"}, user("!echo who am I?")]
    return {"answer": create(turns).choices[0].message.content}


def abort():
    chunks = create("!words 1000 !pace 20", stream=True)
    for chunk in chunks:
        if chunk.choices[0].delta.content:
            break
    chunks.close()
    return {"left": True}


def abort_async():
    """Cancels a task that waits for an answer which is not streamed."""

    async def leave():
        waiting = AsyncOpenAI(base_url=base_url, api_key=key)
        call = waiting.chat.completions.create(model="demo", messages=[user("!words 100 !pace 100")])
        try:
            await asyncio.wait_for(call, 0.5)
        except asyncio.TimeoutError:
            return {"left": True}
        finally:
            await waiting.close()

    return asyncio.run(leave())


def models():
    return {"list": [model.id for model in client.models.list()], "one": client.models.retrieve("demo").object}


def error_of(call):
    try:
        call()
    except openai.APIError as error:
        return {
            "class": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": error.code,
            "param": error.param,
        }
    return None


def errors():
    stranger = client.with_options(api_key="sk-made-up")
    viewer = client.with_options(api_key=viewer_key)
    idempotency = {"Idempotency-Key": str(uuid.uuid4())}
    create("!echo one", extra_headers=idempotency)
    hi = {"model": "demo", "messages": [user("hi")]}
    return {
        "stranger": error_of(stranger.models.list),
        "viewer": error_of(lambda: viewer.chat.completions.create(**hi)),
        "model": error_of(lambda: client.chat.completions.create(model="gpt-5", messages=[user("hi")])),
        "n": error_of(lambda: create("hi", n=2)),
        "other": error_of(lambda: create("!echo two", extra_headers=idempotency)),
        "failed": error_of(lambda: create("!fail 500")),
        "failed_stream": error_of(lambda: list(create("!fail 500", stream=True))),
        "cut": error_of(lambda: list(create("!words 10 !cut", stream=True))),
    }


def busy():
    """As many streams as a key may have, and one call more."""
    impatient = client.with_options(max_retries=0)
    streams = [create("!words 1000 !pace 20", stream=True) for _ in range(int(runs))]
    try:
        return error_of(lambda: impatient.chat.completions.create(model="demo", messages=[user("hi")]))
    finally:
        for chunks in streams:
            chunks.close()


SCENARIOS = {
    "completion": completion,
    "stream": stream,
    "round_trip": round_trip,
    "lasting_round_trip": lambda: round_trip(user=str(uuid.uuid4())),
    "streamed_tool": streamed_tool,
    "two_turns": two_turns,
    "history": history,
    "models": models,
    "errors": errors,
    "abort": abort,
    "abort_async": abort_async,
    "busy": busy,
}

print(json.dumps({name: scenario() for name, scenario in SCENARIOS.items()}))
