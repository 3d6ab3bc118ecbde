import type { Texts } from "./texts.ts";

/** In French, nothing and one and a half are singular too. */
const daysOf = (days: string): string => `${days} ${Number(days) < 2 ? "jour" : "jours"}`;

// Of the accents, GSM-7 holds é è à ù but neither ê nor ç nor û: the sentences do without those.
export const french: Texts = {
  token_received: ({ amount, token, days, account }) =>
    `Paiement de ${amount} accepté. Code : ${token}. Tapez-le sur votre appareil pour ${daysOf(days)}. Compte ${account}.`,
  tokens_received: ({ amount, tokens, days, account }) =>
    `Paiement de ${amount} accepté. Codes : ${tokens}. Tapez-les dans cet ordre pour ${daysOf(days)}. Compte ${account}.`,
  light_coming: ({ amount, days, account }) =>
    `Paiement de ${amount} accepté. La lumière pour ${daysOf(days)} arrive d'elle-même, sans rien taper. Compte ${account}.`,
  light_did_not_come: ({ tokens, days, account }) =>
    `Votre appareil ne répond pas. A taper vous-même pour ${daysOf(days)}. Codes : ${tokens}. Compte ${account}.`,
  payment_held: ({ amount, missing, account }) =>
    `Paiement de ${amount} noté, compte ${account}. Trop peu pour un code : il reste en crédit. Ajoutez ${missing} pour avoir la lumière.`,
  unlocked: ({ amount, token, account }) =>
    `Paiement de ${amount} accepté. Compte ${account} soldé ! Code : ${token}. Tapez-le : votre appareil reste allumé pour toujours. Merci.`,
  payment_debt: ({ amount, debt, account }) =>
    `Paiement de ${amount} noté, compte ${account}. Il réduit votre dette. Encore ${debt} à payer avant de nouveaux jours.`,
  account_unknown: ({ amount, reference }) =>
    `Paiement de ${amount} arrivé, mais le compte ${reference} n'existe pas. Votre argent est protégé. Appelez-nous avec votre numéro de compte.`,
  payment_refundable: ({ amount, account }) =>
    `Paiement de ${amount} arrivé pour le compte ${account}, déjà soldé. Nous pouvons vous rendre cet argent : appelez-nous.`,
  payment_taken_back: ({ amount, account }) =>
    `${amount} payés pour le compte ${account} ont été rendus au payeur. Vous ne devez rien pour cela.`,
  payment_taken_back_debt: ({ amount, debt, account }) =>
    `${amount} payés pour le compte ${account} ont été rendus au payeur. Vous devez ${debt}, que votre prochain paiement réglera d'abord. La lumière reste.`,
  payment_moved: ({ amount, account }) =>
    `${amount} arrivés par erreur sur le compte ${account} en ont été retirés. Vous ne devez rien pour cela.`,
  payment_moved_debt: ({ amount, debt, account }) =>
    `${amount} retirés du compte ${account} : c'était une erreur. Vous devez ${debt}, que votre prochain paiement réglera d'abord. La lumière reste.`,
  ask_account: ({ amount }) =>
    `Nous avons eu ${amount} de vous sans savoir pour quel compte. Votre argent est protégé. Répondez avec votre numéro de compte, comme PG-10234.`,
  ask_to_call: ({ amount }) =>
    `Nous avons eu ${amount} de vous et une question à ce sujet. Votre argent est protégé. Appelez-nous.`,
  refund_coming: ({ amount }) => `Nous vous rendons ${amount}. Cela peut prendre un jour.`,
  alert_device: ({ problem, device, place }) => `Alerte : ${problem}. Appareil ${device}, ${place}.`,
  alert_group: ({ count, place }) =>
    `Alerte : ${count} appareils muets ensemble, ${place}. Voyez d'abord le réseau et le courant.`,
  alert_digest: ({ count, names }) => `${count} nouvelles alertes, dont ${names}. Voyez la liste des alertes.`,
  days_lent: ({ tokens, days, debt, account }) =>
    `${daysOf(days)} de lumière à crédit pour le compte ${account}. Codes : ${tokens}. Vous devez ${debt} : votre prochain paiement le rembourse d'abord.`,
  token_again: ({ token, account }) => `Compte ${account} : voici encore votre dernier code. Code : ${token}.`,
  reminder_low: ({ days, account }) =>
    `La lumière du compte ${account} se termine ${days === "1" ? "demain" : `dans ${daysOf(days)}`}. Payez à temps et elle reste allumée. Merci.`,
  reminder_locked: ({ account }) =>
    `La lumière du compte ${account} est terminée. Payez quand vous voulez, elle revient tout de suite. Pour toute aide, appelez-nous.`,
  reminder_locked_long: ({ days, account }) =>
    `Le compte ${account} est sans lumière depuis ${daysOf(days)}. Un paiement la ramène tout de suite. En cas de souci, appelez-nous.`,
  reminder_paid_off: ({ account }) =>
    `Félicitations ! Le compte ${account} est soldé, l'appareil est à vous. Merci de votre confiance.`,
  ticket_opened: ({ ticket }) =>
    `Merci de nous avoir prévenus. Votre demande a le numéro ${ticket}. Nous nous en occupons.`,
  ticket_in_work: ({ ticket }) => `Nous nous occupons de votre demande ${ticket}. Nous vous appellerons peut-être.`,
  ticket_done: ({ ticket }) => `Votre demande ${ticket} est réglée. Si la panne revient, dites-le-nous. Merci.`,
};
