import { connect } from "node:http2";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { ask, serve } from "../serving.ts";

function openSession(port: number) {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

test("a session's requests that come in one read begin over several turns of the loop, in their order", async () => {
  const turns: number[] = [];
  const paths: string[] = [];
  let turn = 0;
  const tick = () => {
    turn++;
    if (paths.length < 100) setImmediate(tick);
  };
  const { port } = await serve((req, res) => {
    if (paths.length === 0) tick();
    paths.push(req.url ?? "");
    turns.push(turn);
    res.end();
  });
  const session = openSession(port);
  await once(session, "connect");
  await once(session, "remoteSettings");
  const streams = Array.from({ length: 100 }, (_, i) => session.request({ ":path": `/${i}` }).resume());
  await Promise.all(streams.map((stream) => once(stream, "close")));
  expect(paths).toEqual(Array.from({ length: 100 }, (_, i) => `/${i}`));
  const most = Math.max(...turns.map((at) => turns.filter((other) => other === at).length));
  expect(most).toBeLessThan(40);
});

test("a request whose stream was reset before its turn never begins", async () => {
  let handled = 0;
  const { port } = await serve((req, res) => {
    if (req.url !== "/reset") return void res.end("here");
    handled++;
    res.end();
  });
  const session = openSession(port);
  await once(session, "remoteSettings");
  const streams = Array.from({ length: 90 }, () => session.request({ ":path": "/reset" }));
  for (const stream of streams) stream.on("error", () => {}).close(8);
  await Promise.all(streams.map((stream) => once(stream, "close").catch(() => {})));
  expect((await ask(port, "/")).body).toBe("here");
  expect(handled).toBeLessThan(60);
});

test("requests of many sessions that come together begin over several turns of the loop", async () => {
  const turns: number[] = [];
  let turn = 0;
  const tick = () => {
    turn++;
    if (turns.length < 200) setImmediate(tick);
  };
  const { port } = await serve((_req, res) => {
    if (turns.length === 0) tick();
    turns.push(turn);
    res.end();
  });
  const sessions = Array.from({ length: 20 }, () => openSession(port));
  await Promise.all(sessions.map((session) => once(session, "remoteSettings")));
  const streams = sessions.flatMap((session) =>
    Array.from({ length: 10 }, () => session.request({ ":path": "/" }).resume()),
  );
  await Promise.all(streams.map((stream) => once(stream, "close")));
  expect(turns).toHaveLength(200);
  const most = Math.max(...turns.map((at) => turns.filter((other) => other === at).length));
  expect(most).toBeLessThan(30);
});

test("a session whose credential is refused again and again waits before each further request, and no other does", async () => {
  const { port } = await serve((req, res) => void res.writeHead(req.url === "/good" ? 200 : 401).end(), {
    limits: { refusals: 4, refusalMs: 300 },
  });
  const [bad, good] = [openSession(port), openSession(port)];
  await Promise.all([bad, good].map((session) => once(session, "remoteSettings")));
  const call = async (session: typeof bad, path: string) => {
    const began = performance.now();
    await once(session.request({ ":path": path }).resume(), "close");
    return performance.now() - began;
  };
  for (let i = 0; i < 5; i++) await call(bad, "/bad");
  const late = call(bad, "/bad");
  await call(good, "/good");
  expect(await Promise.race([late, Promise.resolve("still waiting")])).toBe("still waiting");
  expect(await late).toBeGreaterThan(100);
});
