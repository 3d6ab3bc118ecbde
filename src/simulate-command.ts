import type { Command } from "commander";

/** `simulate …` and `phone`: the other side of everything, to try things out. Each simulator is loaded only when it is asked for. */
export function addSimulateCommands(washa: Command, untilAsked: () => Promise<void>): void {
  const simulate = washa.command("simulate").description("Stand in for others, to try things out.");
  simulate
    .command("rail [options...]")
    .description("Every mobile-money provider from the other side; `simulate rail --help` tells more.")
    .allowUnknownOption()
    .helpOption(false)
    .action(simulateRail);
  simulate
    .command("fleet [options...]")
    .description("A village of devices that speak MQTT; `simulate fleet --help` tells more.")
    .allowUnknownOption()
    .helpOption(false)
    .action((options: readonly string[]) => simulateFleet(options, untilAsked));
  simulate
    .command("chat [options...]")
    .description("WhatsApp and Telegram, with a person who writes; `simulate chat --help` tells more.")
    .allowUnknownOption()
    .helpOption(false)
    .action(simulateChat);
  washa
    .command("phone <number>")
    .description("A customer's phone and lamp at this terminal, in the demonstration that `start` runs.")
    .option("--url <url>", "where the demonstration's HTTP doors are", "http://127.0.0.1:4000")
    .action(async (number: string, { url }: { url: string }) => {
      const { runPhone } = await import("../simulators/phone/terminal.ts");
      process.exitCode = await runPhone({ number, url }, { input: process.stdin, output: process.stdout });
    });
}

async function simulateRail(options: readonly string[]): Promise<void> {
  const { runRailSimulator } = await import("../simulators/rail/main.ts");
  process.exitCode = await runRailSimulator(options, { input: process.stdin, output: process.stdout });
}

async function simulateChat(options: readonly string[]): Promise<void> {
  const { runChatSimulator } = await import("../simulators/chat/main.ts");
  process.exitCode = await runChatSimulator(options, { input: process.stdin, output: process.stdout });
}

async function simulateFleet(options: readonly string[], untilAsked: () => Promise<void>): Promise<void> {
  const { runFleetSimulator } = await import("../simulators/fleet/main.ts");
  const ending = new AbortController();
  void untilAsked().then(
    () => ending.abort(),
    () => undefined,
  );
  process.exitCode = await runFleetSimulator(options, { output: process.stdout, signal: ending.signal });
}
