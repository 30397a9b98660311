import { main } from "../../agent/main.ts";

// In the guest: valinor-agent.
await main(process.argv.slice(2));
