// The program that `npm run build:agent` packs: `valinor-agent` and nothing else.
import { main } from "../../agent/main.ts";

void main(process.argv.slice(2));
