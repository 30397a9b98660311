"""Streams one chat completion of the agent a1 with the official OpenAI package, and prints its text. openai_stream.py BASE_URL"""

import sys

from openai import OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
stream = client.chat.completions.create(model="a1", messages=[{"role": "user", "content": "hello"}], stream=True)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="")
