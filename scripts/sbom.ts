/**
 * Writes what Valinor is made of, as CycloneDX, into dist/sbom: `valinor.cdx.json` for the control plane (every production dependency)
 * and `valinor-agent.cdx.json` for the agent's bundle and executable. `npm run sbom`. The same tree gives the same files.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleAgent } from "./agent/bundle.ts";
import { packagesOf } from "./licenses/collect.ts";

/** The parts of a CycloneDX document that are looked at here. */
export interface Sbom {
  serialNumber?: string;
  metadata: { timestamp?: string; component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

interface Component {
  "bom-ref": string;
  type: string;
  name: string;
  version: string;
  purl?: string;
  properties?: { name: string; value: string }[];
  externalReferences?: unknown[];
}

const top = join(import.meta.dirname, "..");

/** How npm marks what only development needs. */
const DEVELOPMENT = "cdx:npm:package:development";

/**
 * What `npm sbom` says of the production dependencies, without what differs from one run, folder or registry to the next. With
 * `--omit=dev` npm leaves out also what development needs as well (eventsource-parser), so the marks are read instead.
 */
export function productionSbom(): Sbom {
  const args = ["sbom", "--sbom-format=cyclonedx"];
  const { status, stdout, stderr, error } = spawnSync("npm", args, { cwd: top, encoding: "utf8" });
  if (status !== 0) throw new Error(`npm sbom ended with ${status}: ${error?.message ?? stderr}`);
  const sbom = JSON.parse(stdout) as Sbom;
  delete sbom.serialNumber;
  delete sbom.metadata.timestamp;
  sbom.metadata.component.name = "valinor";
  const components = sbom.components.filter(
    ({ properties = [] }) => !properties.some(({ name }) => name === DEVELOPMENT),
  );
  for (const component of components) {
    delete component.externalReferences;
    // npm calls a package of this repository by its folder.
    const own = /^(@valinor\/[^@]+)@/.exec(component["bom-ref"]);
    if (own?.[1] !== undefined) component.name = own[1];
  }
  const { component } = sbom.metadata;
  return { ...sbom, components, dependencies: dependenciesAmong(sbom, [component, ...components]) };
}

function dependenciesAmong(sbom: Sbom, components: readonly Component[]): Sbom["dependencies"] {
  const refs = new Set(components.map((each) => each["bom-ref"]));
  return sbom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
}

/** The part of a document that is in the agent's bundle, and the Node of its executable. Throws if a package is missing in it. */
export async function agentSbom(whole: Sbom): Promise<Sbom> {
  const work = mkdtempSync(join(tmpdir(), "valinor-sbom-"));
  try {
    const bundled = packagesOf(await bundleAgent(join(work, "agent.cjs")));
    const node: Component = {
      "bom-ref": `node@${process.versions.node}`,
      type: "platform",
      name: "node",
      version: process.versions.node,
      purl: `pkg:generic/node@${process.versions.node}`,
    };
    const components = bundled
      .filter(({ name }) => name !== "rolldown")
      .map(({ name, version }) => {
        const found = whole.components.find((each) => each.name === name && each.version === version);
        if (found === undefined)
          throw new Error(`${name} ${version} is in the bundle and no production dependency`);
        return found;
      });
    const dependencies = dependenciesAmong(whole, components);
    const component = { ...whole.metadata.component, name: "valinor-agent" };
    return {
      ...whole,
      metadata: { ...whole.metadata, component },
      components: [node, ...components],
      dependencies,
    };
  } finally {
    rmSync(work, { recursive: true });
  }
}

if (import.meta.main) {
  const folder = join(top, "dist/sbom");
  mkdirSync(folder, { recursive: true });
  const whole = productionSbom();
  for (const [name, sbom] of [
    ["valinor", whole],
    ["valinor-agent", await agentSbom(whole)],
  ] as const) {
    const file = join(folder, `${name}.cdx.json`);
    writeFileSync(file, `${JSON.stringify(sbom, undefined, 2)}\n`);
    console.log(`${file}  ${sbom.components.length} components`);
  }
}
