// The arrows of ARCHITECTURE.md §3, in a form a machine can hold against the files. `npm run check:arrows` runs it
// through checks/arrows.ts, which also proves that every file on disk was seen.
//
// A new arrow costs an ADR and one word in this table. An arrow means: may import the other room's face, that is
// src/<room>/<room>.ts and nothing beside it.

/** What each room may look at, besides its own files, `platform` and `kernel`. */
const arrows = {
  access: [],
  customers: [],
  ledger: [],
  devices: [],
  messaging: [],
  learning: [],
  payments: ["ledger"],
  credit: ["ledger", "payments", "devices", "customers", "learning"],
  telemetry: ["devices", "learning"],
  meters: ["learning"],
  ussd: ["credit", "payments", "devices", "customers", "messaging"],
  graphql: [
    "access",
    "customers",
    "ledger",
    "payments",
    "devices",
    "credit",
    "telemetry",
    "meters",
    "learning",
    "messaging",
    "ussd",
  ],
};

const rooms = Object.keys(arrows);
const foundation = ["platform", "kernel"];

/** The only files that may reach past a face: they put the house together. */
const composition = "^src/(app|modules|main|demo|demo-rail|demo-chat|announcement|[a-z]+-rooms|[a-z]+-command)[.]ts$";

/** Effects live in files whose name says so: `.store`, `.http`, `.jobs`, `.mqtt`. */
const acting = "[.](store|http|jobs|mqtt)[.]ts$";

/** Files without a suffix decide and do nothing else; a room's face is excepted, since it wires decisions to effects. */
const pure = {
  path: "^src/.+/[^./]+[.]ts$",
  pathNot: [`^src/(${rooms.join("|")})/\\1[.]ts$`, "^src/(graphql|platform|kernel)/"],
};

/** Parts of Node, and packages, through which a file would touch the world outside. */
const effectful = [
  "^(node:)?(fs|net|http|https|http2|tls|dgram|dns|child_process|cluster|worker_threads|inspector|repl|readline)(/|$)",
  "(^|/)node_modules/(postgres|pg|ioredis|bullmq|mqtt|aedes|express|pino|africastalking)/",
];

const face = (room) => `^src/${room}/${room}[.]ts$`;

const unknownRoom = {
  path: "^src/",
  pathNot: [
    `^src/(${[...rooms, ...foundation].join("|")})/`,
    "^src/(app|modules|main|demo|demo-rail|demo-chat|announcement|config|config-values|variables|[a-z]+-rooms|[a-z]+-command)[.]ts$",
  ],
};

module.exports = {
  forbidden: [
    // Three rules for one promise, since a rule sees either an import's start, its end, or a file without any.
    ...[
      { from: {}, to: unknownRoom },
      { from: unknownRoom, to: {} },
      { from: { ...unknownRoom, orphan: true }, to: {} },
    ].map((ends) => ({
      name: "no-unknown-room",
      comment: "Every file of src/ stands in a room of ARCHITECTURE.md §2, or is main.ts, app.ts or config.ts.",
      severity: "error",
      ...ends,
    })),
    {
      name: "kernel-looks-at-nothing",
      comment: "kernel holds pure words: it imports nothing else of src/.",
      severity: "error",
      from: { path: "^src/kernel/" },
      to: { path: "^src/", pathNot: "^src/kernel/" },
    },
    {
      name: "kernel-is-pure",
      comment: "kernel holds pure words: no files, no network, no servers.",
      severity: "error",
      from: { path: "^src/kernel/" },
      to: { path: effectful },
    },
    {
      name: "platform-knows-no-domain",
      comment: "platform imports kernel only.",
      severity: "error",
      from: { path: "^src/platform/" },
      to: { path: "^src/", pathNot: "^src/(platform|kernel)/" },
    },
    ...rooms.map((room) => ({
      name: `arrow-${room}`,
      comment: `${room} may look at ${[...arrows[room].map((other) => `the face of ${other}`), ...foundation].join(", ")}; what else it needs is given to it by app.ts as a function.`,
      severity: "error",
      from: { path: `^src/${room}/` },
      to: {
        path: "^src/",
        pathNot: [`^src/(${[room, ...foundation].join("|")})/`, ...arrows[room].map(face)],
      },
    })),
    {
      name: "learning-is-pure",
      comment: "learning is mathematics on plain values: kernel is all it may look at.",
      severity: "error",
      from: { path: "^src/learning/" },
      to: { path: "^src/platform/" },
    },
    {
      name: "meters-live-in-history",
      comment: "meters keep their readings in history alone: of platform they may use only that.",
      severity: "error",
      from: { path: "^src/meters/" },
      to: { path: "^src/platform/", pathNot: "^src/platform/history([./]|$)" },
    },
    {
      name: "config-is-for-the-roots",
      comment: "Configuration is read once and handed down as values: only app.ts and main.ts import it.",
      severity: "error",
      from: { path: "^(src|simulators)/", pathNot: composition },
      to: { path: "^src/config[.]ts$" },
    },
    {
      name: "nothing-looks-up-at-the-roots",
      comment: "app.ts and main.ts put everything together; nothing below may know them.",
      severity: "error",
      from: { path: "^src/", pathNot: composition },
      to: { path: composition },
    },
    {
      name: "tokens-stand-alone",
      comment: "devices/tokens could be published on its own: it imports nothing outside itself, no package either.",
      severity: "error",
      from: { path: "^src/devices/tokens/" },
      to: { pathNot: "^src/devices/tokens/" },
    },
    {
      name: "simulators-speak-protocols",
      comment: "Simulators know the public protocols and, at most, the token package's accepting side.",
      severity: "error",
      from: { path: "^simulators/" },
      to: { path: "^(src|test|bench|checks)/", pathNot: "^src/devices/tokens/" },
    },
    {
      name: "source-needs-no-test",
      comment: "What is shipped does not lean on tests, benches or checks.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench|checks)/" },
    },
    {
      name: "only-roots-play-simulators",
      comment: "The demo is put together by app.ts or main.ts; the rooms never know whether the other side is real.",
      severity: "error",
      from: { path: "^src/", pathNot: composition },
      to: { path: "^simulators/" },
    },
    {
      name: "pages-stand-alone",
      comment: "What runs in a browser knows the program by its doors: of other rooms it may import types alone.",
      severity: "error",
      from: { path: "^web/" },
      to: { path: "^(src|simulators|bench|test|checks)/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "nobody-needs-pages",
      comment: "Pages are built and served as files; nothing of the program imports them.",
      severity: "error",
      from: { path: "^(src|simulators|bench)/" },
      to: { path: "^web/" },
    },
    {
      name: "pure-files-decide",
      comment:
        "A file without a suffix decides and does nothing: it may not import a file that acts, unless for its types.",
      severity: "error",
      from: pure,
      to: { path: ["^src/.*" + acting, ...effectful], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-cycle",
      comment: "Two files that need each other are one file, or hide a third. Types may point back, values may not.",
      severity: "error",
      from: { path: "^(src|simulators|bench|test|checks)/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "resolvable",
      comment: "An import that leads nowhere hides every arrow behind it.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "shipped-without-dev",
      comment: "The image holds production dependencies only.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(web/dist|coverage|[.]washa)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".mts", ".mjs", ".cjs", ".js", ".json"],
    },
  },
};
