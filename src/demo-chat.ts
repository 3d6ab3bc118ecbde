import { SIMULATED_ACCOUNTS, startChatSimulator, type ChatSimulator } from "../simulators/chat/chat-simulator.ts";
import type { WhatsappSettings } from "./messaging/chat-settings.ts";

/** WhatsApp's side of the demonstration, and how the program reaches it. */
export interface DemoChat {
  readonly simulator: ChatSimulator;
  readonly settings: WhatsappSettings;
}

export interface DemoChatSecrets {
  readonly whatsappToken: string;
  readonly whatsappAppSecret: string;
  readonly whatsappVerifyToken: string;
}

/** WhatsApp from the other side. `program` is asked when somebody writes: it starts later. */
export async function startDemoChat({
  secrets: { whatsappToken: token, whatsappAppSecret: appSecret, whatsappVerifyToken: verifyToken },
  program,
}: {
  secrets: DemoChatSecrets;
  program: () => string;
}): Promise<DemoChat> {
  const accounts = { ...SIMULATED_ACCOUNTS, whatsappToken: token, appSecret };
  const simulator = await startChatSimulator({ program, accounts, tellsDelivery: true });
  const { phoneId } = accounts;
  return { simulator, settings: { phoneId, token, appSecret, verifyToken, baseUrl: `${simulator.url}/v25.0` } };
}
