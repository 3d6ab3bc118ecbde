import type { Texts } from "./texts.ts";

const diasDe = (days: string): string => (days === "1" ? "1 dia" : `${days} dias`);

/** To customers. What staff are told names problems in languages that are complete. */
export const portuguese: Partial<Texts> = {
  token_received: ({ amount, token, days, account }) =>
    `Recebemos ${amount}. Código: ${token}. Introduza-o no aparelho para ter ${diasDe(days)}. Conta ${account}.`,
  tokens_received: ({ amount, tokens, days, account }) =>
    `Recebemos ${amount}. Códigos: ${tokens}. Introduza-os por esta ordem para ter ${diasDe(days)}. Conta ${account}.`,
  light_coming: ({ amount, days, account }) =>
    `Recebemos ${amount}. A luz de ${diasDe(days)} chega sozinha: não precisa de introduzir nada. Conta ${account}.`,
  light_did_not_come: ({ tokens, days, account }) =>
    `Não conseguimos contactar o aparelho. Introduza, por favor, para ter ${diasDe(days)}. Códigos: ${tokens}. Conta ${account}.`,
  payment_held: ({ amount, missing, account }) =>
    `Recebemos ${amount} para a conta ${account}. Não chega para um código e fica guardado para si. Pague mais ${missing} para ter luz.`,
  unlocked: ({ amount, token, account }) =>
    `Recebemos ${amount}. A conta ${account} está toda paga! Código: ${token}. Introduza-o e o aparelho fica ligado para sempre. Obrigado.`,
  payment_debt: ({ amount, debt, account }) =>
    `Recebemos ${amount} para a conta ${account}, para o que estava em dívida. Faltam ${debt} antes de começarem novos dias.`,
  account_unknown: ({ amount, reference }) =>
    `Recebemos ${amount}, mas não há nenhuma conta ${reference}. O dinheiro está seguro. Ligue-nos com o número da sua conta.`,
  payment_refundable: ({ amount, account }) =>
    `Recebemos ${amount} para a conta ${account}, que já está paga. Pode receber o dinheiro de volta: ligue-nos, por favor.`,
  payment_taken_back: ({ amount, account }) =>
    `${amount} pagos para a conta ${account} voltaram a quem os pagou. Não fica nada em dívida por isso.`,
  payment_taken_back_debt: ({ amount, debt, account }) =>
    `${amount} pagos para a conta ${account} voltaram a quem os pagou. Deve ${debt}: o próximo pagamento salda isso primeiro. A luz continua.`,
  payment_moved: ({ amount, account }) =>
    `${amount} que chegaram por engano à conta ${account} foram retirados. Não fica nada em dívida por isso.`,
  payment_moved_debt: ({ amount, debt, account }) =>
    `${amount} que chegaram por engano à conta ${account} foram retirados. Deve ${debt}: o próximo pagamento salda isso primeiro. A luz continua.`,
  ask_account: ({ amount }) =>
    `Recebemos ${amount} de si e não sabemos para que conta. O dinheiro está seguro. Responda com o número da conta, como PG-10234.`,
  ask_to_call: ({ amount }) =>
    `Recebemos ${amount} de si e temos uma pergunta sobre isso. O dinheiro está seguro. Ligue-nos, por favor.`,
  refund_coming: ({ amount }) => `Vamos devolver-lhe ${amount}. Pode demorar um dia a chegar.`,
  days_lent: ({ tokens, days, debt, account }) =>
    `Emprestámos ${diasDe(days)} de luz à conta ${account}. Códigos: ${tokens}. Deve ${debt}: o próximo pagamento salda isso primeiro.`,
  token_again: ({ token, account }) => `Conta ${account}: eis de novo o seu último código. Código: ${token}.`,
  reminder_low: ({ days, account }) =>
    `A luz da conta ${account} acaba ${days === "1" ? "amanhã" : `daqui a ${diasDe(days)}`}. Pague a tempo e continua acesa. Obrigado.`,
  reminder_locked: ({ account }) =>
    `A luz da conta ${account} acabou. Pague quando quiser e volta logo. Se precisar de ajuda, ligue-nos.`,
  reminder_locked_long: ({ days, account }) =>
    `A conta ${account} está sem luz há ${diasDe(days)}. Um pagamento fá-la voltar logo. Se algo não estiver bem, ligue-nos.`,
  reminder_paid_off: ({ account }) =>
    `Parabéns! A conta ${account} está toda paga e o sistema é seu. Obrigado por ficar connosco.`,
  ticket_opened: ({ ticket }) => `Obrigado pelo seu aviso. O número é ${ticket}. Vamos tratar disso e escrever-lhe.`,
  ticket_in_work: ({ ticket }) => `Estamos a tratar do seu aviso ${ticket}. Talvez lhe liguemos.`,
  ticket_done: ({ ticket }) => `O seu aviso ${ticket} está resolvido. Se a avaria voltar, diga-nos de novo. Obrigado.`,
};
