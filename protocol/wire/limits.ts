/**
 * Every bound of the link, and of what goes over it, in one place; docs/wire-protocol.md section "Limits" lists the same names and values.
 * Sizes are bytes, durations milliseconds.
 */
export const limits = {
  /** Largest value of a frame's length field: 4 MiB of JSON. */
  frameBytes: 4 * 1024 * 1024,
  /** Smallest value of a frame's length field: `{}`. */
  frameMinBytes: 2,
  /** Deepest nesting of objects and arrays in a frame, its own object included. */
  jsonDepth: 64,
  /** Most structural characters (`{}[],:` outside strings) in a frame. */
  jsonTokens: 100_000,
  /** Longest exchange id that is accepted, in UTF-16 units. */
  idLength: 128,
  /** A frame that has begun is complete within this time. */
  frameMs: 30_000,

  /** Dial and hello together, for one attempt. */
  helloMs: 5_000,
  /** A host that hears nothing for this long sends a ping. */
  silenceMs: 5_000,
  /** A ping is answered within this time, by any byte (`proxy.ping_timeout`). */
  pingMs: 3_000,
  /** A guest sends a heartbeat this often. */
  heartbeatMs: 10_000,
  /** A guest that has sent heartbeats and stops for this long is lost. */
  heartbeatLostMs: 30_000,
  /** A guest whose run's model is silent says so this often. */
  progressMs: 15_000,
  /** A guest of protocol 2 that says nothing for this long on a message's id has broken that promise. */
  runSilenceMs: 45_000,

  /** Largest frame of a guest of which no message is read, and for `frameMs` after the last one was. */
  smallFrameBytes: 64 * 1024,
  /** Most structural characters in a frame of a guest: none that this protocol knows has more than a few dozen. */
  guestTokens: 4_096,
  /** Bytes of incomplete frames that a host holds of all guests together. */
  partialTotalBytes: 64 * 1024 * 1024,
  /** Memory of frames that spanned reads which a process keeps, to be used again. */
  freePiecesBytes: 32 * 1024 * 1024,
  /** Largest heartbeat, and most heartbeats and pings in a second, that a host takes of a guest. */
  heartbeatBytes: 8 * 1024,
  heartbeatsPerSecond: 50,
  /** Heartbeats of a second that are read when they come; of those beyond only the last is read, at the second's end. */
  heartbeatsRead: 5,
  /** Most frames, and most bytes of them, that a host takes in a second without having asked for them. */
  unaskedFrames: 2_000,
  unaskedBytes: 256 * 1024,
  /** The same of all guests together: the one that sent the most is cut off. */
  unaskedTotalFrames: 20_000,
  unaskedTotalBytes: 4 * 1024 * 1024,
  /** Bytes that a guest may still send for an exchange that was given up; of protocol 1, which is not told of it. */
  lateBytes: 1024 * 1024,
  lateUncreditedBytes: 4 * 1024 * 1024,
  /** Time of each turn of the event loop in which a host decodes what came over all links; of it for slices of what had to wait. */
  readTurnMs: 5,
  readSlicesMs: 2,
  /** Frames and bytes after which a turn is over for large reads, whatever the time. */
  readTurnFrames: 256,
  readTurnBytes: 512 * 1024,
  /** One slice of one link, and its frames; those of one read while no other link waits. */
  readSliceMs: 0.5,
  readSliceFrames: 256,
  readAloneFrames: 512,
  /** A read of at most so many bytes waits behind no large one. */
  readLightBytes: 4 * 1024,
  /** Frames and bytes that readers get in a turn, all exchanges together; frames of one batch of one of them. */
  deliverTurnFrames: 512,
  deliverTurnBytes: 512 * 1024,
  deliverFrames: 256,
  /** A batch of so few frames, and of at most `readLightBytes`, waits behind no larger one. */
  deliverLightFrames: 8,
  /** Most messages that are read at once over one link (protocol 1: as many as runs in flight). */
  messagesPerLink: 1_024,

  /** Bytes that a guest may send ahead of the reader, one frame more not counted. */
  creditWindow: 256 * 1024,
  /** Bytes that a host promises to take over all links, for all messages together; and what it promises each of them in any case. */
  creditTotal: 64 * 1024 * 1024,
  creditFloor: 32 * 1024,
  /** Bytes held for an exchange of a guest that knows no credit. */
  uncreditedBuffer: 1024 * 1024,
  /** Bytes queued towards a peer; an empty queue admits any legal frame. */
  sendQueue: 1024 * 1024,
  /** Bytes more that the queue admits of frames that carry no message (ping, credit, detach, cancel). */
  sendReserve: 256 * 1024,
  /** A queue that takes no byte for this long closes the link. */
  sendStallMs: 10_000,
  /** Largest piece handed to the socket at once, so that a slow peer's progress is seen. */
  sendPiece: 64 * 1024,

  /** Redial waits a random time up to a bound that doubles from the first to the second. */
  redialMinMs: 50,
  redialMaxMs: 5_000,
  /** Links that a host dials at once; an attempt counts for the second time at most. */
  dialsAtOnce: 512,
  dialYoungMs: 1_000,
  /** A request waits this long at most for dial and hello. */
  requestDialMs: 5_000,

  /** A client that takes nothing for this long is closed. */
  clientStallMs: 30_000,
  /** Unary calls, and silence of protocol-1 guests in a stream (`proxy.message_timeout`). */
  messageMs: 60_000,
  /** A config or context push is acknowledged within this time (`proxy.config_timeout`). */
  configMs: 5_000,
  /** Largest text of a unary reply. */
  unaryReplyBytes: 3 * 1024 * 1024,

  /** Largest text of a message. */
  contentBytes: 1024 * 1024,
  /** Turns of a message's history, and the client's own tools. */
  historyTurns: 1_000,
  clientTools: 128,
  /** Largest configuration as JSON text. */
  configBytes: 1024 * 1024,
  /** Names in a tool policy, and the length of one. */
  policyTools: 256,
  policyToolBytes: 128,
  /** Context entries of an agent, the text of one, and of all together. */
  contextEntries: 64,
  contextEntryBytes: 256 * 1024,
  contextBytes: 1024 * 1024,

  /** Largest chunk frame that a guest sends; longer text is split. */
  chunkBytes: 64 * 1024,
  /** Longest arguments of a tool call. */
  toolArgumentsBytes: 1024 * 1024,
  /** Longest run. */
  runMs: 30 * 60_000,
  /** A model may be silent this long. */
  modelSilenceMs: 180_000,
  /** Runs in flight in one guest. */
  runsInFlight: 64,
  /** Journal of one run, and of all runs of a guest. */
  journalRunBytes: 4 * 1024 * 1024,
  journalAgentBytes: 32 * 1024 * 1024,
  /** A journal is kept this long after its run's end. */
  journalKeepMs: 10 * 60_000,
  /** Request ids are remembered this long, and this many. */
  ledgerKeepMs: 24 * 60 * 60_000,
  ledgerEntries: 100_000,
  /** A run to be cancelled on disconnect outlives a lost link by this long. */
  orphanMs: 30_000,
} as const;

/**
 * Bounds of a guest alone, which no host sees; docs/agent.md section "Bounds" lists them with those of the link that a guest keeps.
 * Sizes are bytes, durations milliseconds.
 */
export const guestLimits = {
  /** How often bounds on time are looked at. */
  tickMs: 1_000,
  /** A link on which nothing was heard for this long is closed; a host pings after 5 s of silence. */
  hostSilenceMs: 60_000,
  /** Exchanges open at once on one link. */
  exchanges: 1_024,
  /** The ledger has this long to record a request before the message is refused. */
  recordMs: 10_000,
  /** Runs in flight have this long to finish after the agent was told to stop (`--drain-seconds`). */
  drainMs: 30_000,

  /** How often OpenClaw is probed, and how long it may take to answer. */
  probeMs: 10_000,
  probeTimeoutMs: 3_000,
  /** Connecting to OpenClaw. */
  connectMs: 5_000,
  /** Largest event of a streamed answer, and largest answer that is not streamed. */
  modelEventBytes: 4 * 1024 * 1024,
  /** Most bytes that may come of an answer that its server compressed. */
  modelDecodedBytes: 128 * 1024 * 1024,
  /** Tool calls that one answer may leave unfinished at once. */
  openToolCalls: 128,

  /** A call of OpenClaw's gateway, and being let in; its largest message; a connection that nobody needs. */
  gatewayMs: 5_000,
  gatewayMessageBytes: 16 * 1024 * 1024,
  gatewayIdleMs: 60_000,
  /** First and last wait before a gateway that is needed is connected to again; it doubles. */
  gatewayRedialMinMs: 100,
  gatewayRedialMaxMs: 5_000,
  /** A configuration has this long to come into force at OpenClaw before the host has to push it again. */
  applyMs: 20_000,
  /** Configurations that wait for their turn at OpenClaw. */
  appliesQueued: 16,
  /** Longest key of a context entry, in UTF-16 units: hosts allow less. */
  contextKeyLength: 256,
  /** Longest request_id, conversation_id and run_life of a message, in UTF-16 units: hosts name less. */
  nameLength: 512,
} as const;
