import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, loadConfig } from "../src/config.ts";
import { settings } from "../src/config/settings.ts";

let folder: string;
let files = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "valinor-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const path = join(folder, `${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

type Options = Partial<Parameters<typeof loadConfig>[0]>;

function load(yaml: string, options: Options = {}): ReturnType<typeof loadConfig> {
  return loadConfig({ file: fileWith(yaml), env: {}, mode: "serve", ...options });
}

/** The problems that loading gives, the file's folder left out. */
function problemsOf(yaml: string, options: Options = {}): string[] {
  try {
    load(yaml, options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => problem.replace(/^.*\/\d+\.yaml/, "FILE"));
  }
  return [];
}

describe("the configuration without a file", () => {
  test("serve has its defaults", () => {
    expect(loadConfig({ env: {}, mode: "serve" })).toEqual({
      mode: "serve",
      proxy: {
        transport: undefined,
        tcpBasePort: 9100,
        hybridPath: "/run/valinor/{agent_id}.sock",
        guestPort: 1024,
        messageTimeoutMs: 60_000,
        configTimeoutMs: 5_000,
        pingTimeoutMs: 3_000,
        guestToken: "",
        allowedAddresses: [
          "tcp://127.0.0.1:*",
          "tcp://[::1]:*",
          "tcp://localhost:*",
          "unix:///run/valinor/**",
          "vsock://*:*",
        ],
      },
      server: {
        host: "127.0.0.1",
        port: 8080,
        allowedOrigins: [],
        allowedHosts: [],
        noticeMs: 0,
        drainMs: 30_000,
        tls: undefined,
      },
      auth: { apiKeys: false, issuers: [], required: false },
      quotas: { tenantRequestsPerSecond: 0, keyRequestsPerSecond: 0, tenantRuns: 0, keyRuns: 0 },
      secretKeys: [],
      store: { kind: "sqlite", path: resolve(".valinor/valinor.db") },
      refreshMs: 5_000,
      log: { level: "info" },
      agents: [],
    });
  });

  test("dev reaches agents by tcp and takes Unix sockets anywhere", () => {
    const { proxy } = loadConfig({ env: {}, mode: "dev" });
    expect(proxy.transport).toBe("tcp");
    expect(proxy.allowedAddresses).toContain("unix:///**");
  });
});

describe("layers of settings", () => {
  const yaml = "proxy:\n  message_timeout: 10\n  config_timeout: 10\n  ping_timeout: 10\n";

  test("flags win over the environment, the environment over the file, the file over defaults", () => {
    const { proxy } = load(yaml, {
      env: { VALINOR_PROXY_CONFIG_TIMEOUT: "20", VALINOR_PROXY_PING_TIMEOUT: "20" },
      flags: { proxy: { ping_timeout: "30" } },
    });
    expect(proxy.messageTimeoutMs).toBe(10_000);
    expect(proxy.configTimeoutMs).toBe(20_000);
    expect(proxy.pingTimeoutMs).toBe(30_000);
    expect(proxy.tcpBasePort).toBe(9100);
  });

  test("flags that are undefined and variables that are empty set nothing", () => {
    const { proxy } = load(yaml, {
      env: { VALINOR_PROXY_CONFIG_TIMEOUT: "" },
      flags: { proxy: { ping_timeout: undefined } },
    });
    expect(proxy.configTimeoutMs).toBe(10_000);
    expect(proxy.pingTimeoutMs).toBe(10_000);
  });

  test("durations may have fractions", () => {
    expect(load("proxy: {message_timeout: 0.25}\n").proxy.messageTimeoutMs).toBe(250);
    const env = { VALINOR_PROXY_MESSAGE_TIMEOUT: "1.5" };
    expect(loadConfig({ env, mode: "serve" }).proxy.messageTimeoutMs).toBe(1_500);
  });

  test("lists come from the environment and flags with commas", () => {
    const { server } = load("", {
      env: { VALINOR_SERVER_ALLOWED_ORIGINS: "http://a.test, https://b.test:8443" },
      flags: { server: { allowed_hosts: ["a.test", "b.test:8443"] } },
    });
    expect(server.allowedOrigins).toEqual(["http://a.test", "https://b.test:8443"]);
    expect(server.allowedHosts).toEqual(["a.test", "b.test:8443"]);
  });

  test("a wrong value is told even if another layer covers it", () => {
    const env = { VALINOR_PROXY_TCP_BASE_PORT: "9000" };
    expect(problemsOf("proxy:\n  tcp_base_port: 0\n", { env })).toHaveLength(1);
  });

  test("VALINOR_CONFIG names the file if no flag does", () => {
    const env = { VALINOR_CONFIG: fileWith("server: {port: 1}\n") };
    expect(loadConfig({ env, mode: "serve" }).server.port).toBe(1);
    expect(load("server: {port: 2}\n", { env }).server.port).toBe(2);
  });

  test("sections and files may be empty", () => {
    expect(load("proxy:\nserver:\n").server.port).toBe(8080);
    expect(load("# nothing\n").server.port).toBe(8080);
  });
});

describe("problems of a configuration file", () => {
  test("are told all at once, each with its place, its key and what is allowed", () => {
    const yaml = [
      "proxy:",
      "  transport: pigeon",
      "  mesage_timeout: 5",
      "servers: {}",
      "server:",
      "  port: 70000",
      "agents:",
      "  - id: '-'",
    ].join("\n");
    expect(problemsOf(yaml, { env: { VALINOR_LOG_LEVEL: "loud", VALINOR_LOG_LEVLE: "info" } })).toEqual([
      "FILE:3: unknown key proxy.mesage_timeout; known are proxy.transport, proxy.tcp_base_port, proxy.hybrid_path, " +
        "proxy.guest_port, proxy.message_timeout, proxy.config_timeout, proxy.ping_timeout, proxy.guest_token_file, " +
        "proxy.allowed_addresses",
      "FILE:4: unknown key servers; known are proxy, server, auth, quotas, secrets, store, log, agents",
      "VALINOR_LOG_LEVLE: unknown variable; known are VALINOR_LOG_LEVEL",
      'FILE:2: proxy.transport is "pigeon": must be tcp, unix, hybrid or vsock',
      "FILE:6: server.port is 70000: must be a whole number from 0 to 65535",
      'VALINOR_LOG_LEVEL: log.level is "loud": must be trace, debug, info, warn, error, fatal or silent',
      "FILE:8: agents[0].id must be a text of at most 63 letters, digits, '.', '_' and '-' that begins with a letter or digit",
    ]);
  });

  test("stand one a line in the error's message", () => {
    const error = new ConfigError(["one", "two"]);
    expect(error.message).toBe("the configuration is wrong:\n  - one\n  - two");
  });

  test.each([
    ["proxy: {tcp_base_port: '9100'}", "proxy.tcp_base_port"],
    ["proxy: {tcp_base_port: 9100.5}", "proxy.tcp_base_port"],
    ["proxy: {message_timeout: 0}", "proxy.message_timeout"],
    ["proxy: {message_timeout: 60s}", "proxy.message_timeout"],
    ["proxy: {message_timeout: .nan}", "proxy.message_timeout"],
    ["proxy: {hybrid_path: 'run/{agent_id}.sock'}", "proxy.hybrid_path"],
    ["proxy: {hybrid_path: '/run/agent.sock'}", "proxy.hybrid_path"],
    ["proxy: {hybrid_path: '/run/{agent_id}/{agent}.sock'}", "proxy.hybrid_path"],
    ["proxy: {allowed_addresses: tcp://127.0.0.1:*}", "proxy.allowed_addresses"],
    ["proxy: {allowed_addresses: ['127.0.0.1:*']}", "proxy.allowed_addresses"],
    ["proxy: {allowed_addresses: ['unix://run/*']}", "proxy.allowed_addresses"],
    ["proxy: {transport: }", "proxy.transport"],
    ["server: {host: '127.0.0.1:80'}", "server.host"],
    ["server: {allowed_origins: ['*']}", "server.allowed_origins"],
    ["server: {allowed_origins: ['null']}", "server.allowed_origins"],
    ["server: {allowed_origins: ['http://a.test/']}", "server.allowed_origins"],
    ["server: {allowed_hosts: ['http://a.test']}", "server.allowed_hosts"],
    ["server: {allowed_hosts: ['a.test:']}", "server.allowed_hosts"],
    ["server: {allowed_hosts: ['::1']}", "server.allowed_hosts"],
    ["server: {drain_seconds: -1}", "server.drain_seconds"],
    ["server: [port]", "server must be a mapping"],
    ["store: {url: valinor.db}", "store.url must be sqlite:PATH"],
    ["store: {url: 'sqlite:'}", "store.url must be sqlite:PATH"],
    ["store: {url: 'sqlite://valinor.db'}", "store.url must be sqlite:PATH"],
    ["constructor: {}", "unknown key constructor"],
    ["proxy: {__proto__: 1}", "unknown key proxy.__proto__"],
    ["agents: {id: a}", "agents must be a list"],
  ])("%s is one", (yaml, named) => {
    expect(problemsOf(yaml)).toEqual([expect.stringContaining(named)]);
  });

  test("of a store's URL never repeat its password", () => {
    const [problem] = problemsOf("store:\n  url: postgres://user:hunter2@db/\n");
    expect(problem).toBe(
      "FILE:2: store.url must be postgres://USER:PASSWORD@HOST:PORT/DATABASE, with what is special in it %-encoded",
    );
    expect(problemsOf("store: {url: 'mysql://u:hunter2@db'}\n").join()).not.toContain("hunter2");
  });

  test("of the file's text name its line", () => {
    expect(problemsOf("server:\n  port: 1\n  port: 2\n")[0]).toMatch(/^FILE:3: .*unique/);
    expect(problemsOf("a: [\n")[0]).toMatch(/^FILE:\d+: /);
    expect(problemsOf("- a\n")).toEqual([expect.stringContaining("must be a mapping")]);
    expect(problemsOf("a: 1\n---\nb: 2\n")).toHaveLength(1);
  });

  test("of a file that is not there name it", () => {
    const file = join(folder, "missing.yaml");
    expect(() => loadConfig({ file, env: {}, mode: "serve" })).toThrow(file);
  });

  test("do not come from other programs' variables", () => {
    expect(loadConfig({ env: { VALINOR_URL: "x", PROXY_TRANSPORT: "x" }, mode: "serve" }).server.port).toBe(
      8080,
    );
  });

  test("do not come from a service of Kubernetes, whatever its name is", () => {
    const services = ["valinor", ...Object.keys(settings).map((section) => `valinor-${section}`)];
    const longer = [
      "valinor-proxy-tcp-base",
      "valinor-proxy-guest",
      "valinor-server-http",
      "valinor-log-x-2",
    ];
    for (const service of [...services, ...longer]) {
      const env = variablesOf(service, "10.96.0.12", { "": 8080, http: 8080, "grpc-web": 9090 });
      const { server, proxy } = loadConfig({ env, mode: "serve" });
      expect({ ...server, ...proxy }).toMatchObject({ port: 8080, tcpBasePort: 9_100, guestPort: 1_024 });
    }
    const own = { ...variablesOf("valinor-server", "fd00::1", { "": 53 }), VALINOR_LOG_LEVEL: "warn" };
    expect(loadConfig({ env: own, mode: "serve" }).log.level).toBe("warn");
  });

  test.each([
    ["VALINOR_SERVER_PORTS", "8080"],
    ["VALINOR_SERVER_PORT", "http://10.96.0.12:8080"],
    ["VALINOR_SERVER_PORT", "tcp"],
    ["VALINOR_SERVER_SERVICE_HOSTS", "10.96.0.12"],
    ["VALINOR_SERVER_PORT_8080", "10.96.0.12"],
    ["VALINOR_SERVER_PORT_8080_TCP_ADRR", "10.96.0.12"],
    ["VALINOR_PROXY_PORT", "9100"],
    ["VALINOR_SERVER_HOST", "tcp://10.96.0.12:8080"],
  ])(
    "come from a setting that is misspelt or wrong, though it looks a little like Kubernetes': %s=%s",
    (name, value) => {
      expect(problemsOf("", { env: { [name]: value } })).toEqual([expect.stringContaining(`${name}: `)]);
    },
  );
});

/** The environment that Kubernetes gives every container for a service with these ports. */
function variablesOf(service: string, host: string, ports: Record<string, number>): Record<string, string> {
  const name = service.toUpperCase().replaceAll("-", "_");
  const [first] = Object.values(ports);
  const shown = host.includes(":") ? `[${host}]` : host;
  const env: Record<string, string> = {
    [`${name}_SERVICE_HOST`]: host,
    [`${name}_SERVICE_PORT`]: String(first),
    [`${name}_PORT`]: `tcp://${shown}:${first}`,
  };
  for (const [port, number] of Object.entries(ports)) {
    const suffix = port.toUpperCase().replaceAll("-", "_");
    if (suffix !== "") env[`${name}_SERVICE_PORT_${suffix}`] = String(number);
    for (const protocol of ["tcp", "udp"]) {
      const prefix = `${name}_PORT_${number}_${protocol.toUpperCase()}`;
      env[prefix] = `${protocol}://${shown}:${number}`;
      Object.assign(env, {
        [`${prefix}_PROTO`]: protocol,
        [`${prefix}_PORT`]: String(number),
        [`${prefix}_ADDR`]: host,
      });
    }
  }
  return env;
}

describe("the server's address", () => {
  test.each(["127.0.0.1", "127.8.8.8", "::1", "localhost"])("may be loopback: %s", (host) => {
    expect(load("", { flags: { server: { host } } }).server.host).toBe(host);
  });

  test.each(["0.0.0.0", "::", "10.0.0.1", "example.com", "127.example.com", "localhost.example.com"])(
    "may not be %s while there is no authentication",
    (host) => {
      for (const mode of ["serve", "dev"] as const) {
        expect(problemsOf("", { mode, flags: { server: { host } } })).toEqual([
          expect.stringMatching(/^server\.host is .* must be a loopback address .* without authentication/),
        ]);
      }
    },
  );

  test("has no other host names in dev mode", () => {
    const flags = { server: { allowed_hosts: "a.test" } };
    expect(load("", { flags }).server.allowedHosts).toEqual(["a.test"]);
    expect(problemsOf("", { flags, mode: "dev" })).toEqual([
      expect.stringContaining("server.allowed_hosts: must be empty in dev mode"),
    ]);
  });
});

describe("the store's URL", () => {
  test.each([
    ["sqlite::memory:", ":memory:"],
    ["sqlite:/var/lib/valinor.db", "/var/lib/valinor.db"],
    ["sqlite:///var/lib/valinor.db", "/var/lib/valinor.db"],
    ["sqlite:data/valinor.db", resolve("data/valinor.db")],
  ])("%s is %s", (url, path) => {
    expect(load("", { flags: { store: { url } } }).store).toEqual({ kind: "sqlite", path });
  });
});

describe("the guest token", () => {
  test("is the file's text without its line end", () => {
    const token = fileWith("s3cret\n");
    expect(load("", { env: { VALINOR_PROXY_GUEST_TOKEN_FILE: token } }).proxy.guestToken).toBe("s3cret");
  });

  test("must be there if its file is named", () => {
    const empty = fileWith("\n");
    expect(problemsOf("", { flags: { proxy: { guest_token_file: empty } } })[0]).toContain(
      "must hold a secret",
    );
    const missing = join(folder, "missing");
    expect(problemsOf("", { flags: { proxy: { guest_token_file: missing } } })[0]).toContain("ENOENT");
  });
});

describe("agents of the configuration file", () => {
  test("have defaults, and addresses in one form", () => {
    const yaml = `
agents:
  - id: a
  - {id: b, tenant: acme, status: failed, vsock_cid: 4294967294, address: "tcp://127.0.0.1:09103"}
`;
    expect(load(yaml).agents).toEqual([
      { tenant: "default", id: "a", status: "RUNNING", vsockCid: 0, address: "" },
      { tenant: "acme", id: "b", status: "FAILED", vsockCid: 4294967294, address: "tcp://127.0.0.1:9103" },
    ]);
  });

  test("may be hundreds", () => {
    const entries = Array.from(
      { length: 500 },
      (_, index) => `  - {id: a${index}, vsock_cid: ${index + 3}}\n`,
    );
    expect(load(`proxy: {transport: tcp}\nagents:\n${entries.join("")}`).agents).toHaveLength(500);
  });

  test("that are wrong are named one by one with their lines", () => {
    const yaml = `agents:
  - id: ok
  - id: 17
    vsock_cid: 2
  - tenant: acme
    status: RUNNING
    cid: 3
  - address: tcp://127.0.0.1
    id: x
  - just a name
`;
    const named = problemsOf(yaml).map((problem) => /^FILE:(\d+: agents\[\d\]\S*)/.exec(problem)?.[1]);
    expect(new Set(named)).toEqual(
      new Set([
        "3: agents[1].id",
        "4: agents[1].vsock_cid",
        "5: agents[2].id",
        "6: agents[2].status",
        "7: agents[2]",
        "8: agents[3].address",
        "10: agents[4]",
      ]),
    );
  });

  test("that are named twice are refused, and free in another tenant", () => {
    expect(problemsOf("agents:\n  - id: a\n  - {id: a, tenant: b}\n  - id: a\n")).toEqual([
      "FILE:4: agents[2] has the agent default/a of agents[0]",
    ]);
  });

  test("share neither CID nor address while they live", () => {
    const shared = (changes: string) => `proxy: {transport: tcp}
agents:
  - {id: a, vsock_cid: 5, address: "tcp://127.0.0.1:9001"}
  - {id: b, ${changes}}
`;
    expect(problemsOf(shared(`vsock_cid: 5, address: "tcp://127.0.0.1:9002"`))).toEqual([
      "FILE:4: agents[1] has the vsock_cid 5 of agents[0]",
    ]);
    expect(problemsOf(shared(`address: "tcp://127.0.0.1:9001"`))).toEqual([
      "FILE:4: agents[1] has the address tcp://127.0.0.1:9001 of agents[0]",
    ]);
    expect(problemsOf(shared(`address: "tcp://127.0.0.1:9001", vsock_cid: 5, status: stopped`))).toEqual([]);
  });

  test("of two tenants with one id need {tenant} in the path of their sockets", () => {
    const agents = "agents: [{id: a}, {id: a, tenant: b}]\n";
    expect(problemsOf(`proxy: {transport: hybrid}\n${agents}`)).toEqual([
      "FILE:2: agents[1] has the address unix:///run/valinor/a.sock?port=1024 of agents[0]",
    ]);
    const path = "hybrid_path: '/run/{tenant}/{agent_id}.sock'";
    expect(problemsOf(`proxy: {transport: hybrid, ${path}}\n${agents}`)).toEqual([]);
  });

  test("with a CID and no address need a transport that derives one", () => {
    const agents = "agents: [{id: a, vsock_cid: 3}]\n";
    expect(problemsOf(agents)).toEqual([expect.stringContaining("proxy.transport is not set")]);
    expect(problemsOf(agents, { flags: { proxy: { transport: "unix" } } })).toHaveLength(1);
    expect(problemsOf(agents, { flags: { proxy: { transport: "tcp", tcp_base_port: 65533 } } })).toHaveLength(
      1,
    );
    for (const transport of ["tcp", "hybrid", "vsock"])
      expect(problemsOf(agents, { flags: { proxy: { transport } } })).toEqual([]);
  });

  test("have allowed addresses alone", () => {
    expect(problemsOf(`agents: [{id: a, address: "tcp://10.0.0.5:9100"}]\n`)).toEqual([
      expect.stringContaining("agents[0].address tcp://10.0.0.5:9100 is not among proxy.allowed_addresses"),
    ]);
    const flags = { proxy: { allowed_addresses: "tcp://10.0.0.5:*" } };
    expect(problemsOf(`agents: [{id: a, address: "tcp://10.0.0.5:9100"}]\n`, { flags })).toEqual([]);
  });
});

test("the example is valid and uses every section", () => {
  const file = fileURLToPath(new URL("../examples/valinor.yaml", import.meta.url));
  const config = loadConfig({ file, env: {}, mode: "serve" });
  expect(config.agents.map(({ tenant, id }) => `${tenant}/${id}`)).toEqual([
    "default/alice",
    "acme/bob",
    "default/carol",
    "default/dave",
  ]);
});

describe("the settings of authentication", () => {
  const issuer =
    "auth: {issuers: [{issuer: 'https://id.example', audience: valinor, jwks_url: 'https://id.example/keys'}]}";

  test("lets the server listen beyond loopback", () => {
    expect(problemsOf("server: {host: 0.0.0.0}")).toHaveLength(1);
    expect(load(`server: {host: 0.0.0.0}\n${issuer}`).server.host).toBe("0.0.0.0");
    expect(load("server: {host: 0.0.0.0}\nauth: {api_keys: true}").auth.required).toBe(true);
    expect(load("server: {host: 0.0.0.0}\nauth: {api_keys: true}").server.noticeMs).toBe(5_000);
    const quick = "server: {host: 0.0.0.0, notice_seconds: 0}\nauth: {api_keys: true}";
    expect(load(quick).server.noticeMs).toBe(0);
    expect(problemsOf(`server: {host: 0.0.0.0}\n${issuer}`, { mode: "dev" })).toHaveLength(1);
  });

  test("has the claims and algorithms that most issuers use if nothing else is said", () => {
    expect(load(issuer).auth.issuers).toEqual([
      {
        issuer: "https://id.example",
        audience: ["valinor"],
        jwksUrl: "https://id.example/keys",
        jwksFile: undefined,
        algorithms: ["RS256", "ES256", "EdDSA"],
        tenantClaim: "tenant",
        subjectClaim: "sub",
        rolesClaim: "roles",
        roles: undefined,
      },
    ]);
  });

  test("takes issuers from the environment as JSON", () => {
    const path = fileWith('{"keys":[]}');
    const issuers = JSON.stringify([{ issuer: "a", audience: ["b"], jwks_file: path }]);
    const { auth } = loadConfig({ env: { VALINOR_AUTH_ISSUERS: issuers }, mode: "serve" });
    expect(auth.issuers).toMatchObject([{ issuer: "a", audience: ["b"], jwksFile: path }]);
  });

  test.each([
    ["{issuer: a, audience: b}", "auth.issuers.0: needs one of jwks_url and jwks_file"],
    ["{issuer: a, audience: b, jwks_url: 'http://id.example/keys'}", "jwks_url must be https"],
    ["{issuer: a, audience: b, jwks_file: k, algorithms: [HS256]}", "auth.issuers.0.algorithms.0"],
    ["{issuer: a, audience: b, jwks_file: k, algorithms: [none]}", "auth.issuers.0.algorithms.0"],
    ["{issuer: a, audience: b, jwks_file: k, roles: {x: [everything]}}", "auth.issuers.0.roles.x.0"],
    ["{issuer: a, audience: b, jwks_file: k, alg: x}", "alg"],
    ["{issuer: a, jwks_file: k}", "auth.issuers.0.audience"],
  ])("refuses the issuer %s", (text, named) => {
    expect(problemsOf(`auth: {issuers: [${text}]}`)).toEqual([expect.stringContaining(named)]);
  });

  test.each(["/nowhere/jwks.json", "no key set"])("refuses a key set that is none: %s", (text) => {
    const path = text.startsWith("/") ? text : fileWith(text);
    const problems = problemsOf(`auth: {issuers: [{issuer: a, audience: b, jwks_file: '${path}'}]}`);
    expect(problems).toEqual([
      expect.stringMatching(/^auth.issuers a: jwks_file: |is not a JSON Web Key Set$/),
    ]);
  });

  test("refuses one issuer twice", () => {
    const entry = "{issuer: a, audience: b, jwks_file: k}";
    expect(problemsOf(`auth: {issuers: [${entry}, ${entry}]}`)).toEqual([
      expect.stringContaining("names a twice"),
    ]);
  });
});

describe("the settings of secrets and certificates", () => {
  const key = Buffer.alloc(32, 7);

  test("keys come from the file and from the environment, in base64 and hexadecimal", () => {
    const path = fileWith(`# new\n${key.toString("base64")}\n`);
    const env = { VALINOR_SECRETS_KEY: Buffer.alloc(32, 9).toString("hex") };
    const { secretKeys } = loadConfig({ env, mode: "serve", flags: { secrets: { key_file: path } } });
    expect(secretKeys).toEqual([key, Buffer.alloc(32, 9)]);
  });

  test("a key of the wrong length is refused without being repeated", () => {
    const [problem] = problemsOf("{}", { env: { VALINOR_SECRETS_KEY: "c2hvcnQtc2VjcmV0" } });
    expect(problem).toContain("secrets.key");
    expect(problem).not.toContain("c2hvcnQtc2VjcmV0");
  });

  test("a certificate without its key, or with a file that is none, is refused", () => {
    expect(problemsOf("server: {tls_cert_file: /nowhere.pem}")).toEqual([
      "server.tls_cert_file and server.tls_key_file: set both or neither",
    ]);
    const path = fileWith("no certificate");
    expect(problemsOf(`server: {tls_cert_file: ${path}, tls_key_file: ${path}}`)).toEqual([
      expect.stringContaining("must be a certificate (chain) and its unencrypted private key in PEM"),
    ]);
  });
});
