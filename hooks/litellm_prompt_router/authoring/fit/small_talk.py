"""Messages that need the core alone, in several languages: what the scores learn small talk from.

Beside the narrow lists of request/route/phrases.py these only lower scores; a message made of such words alone,
with nothing above the threshold, gets the core.
"""

from __future__ import annotations

SMALL_TALK = tuple(
    line.strip()
    for line in """
    hi
    hello there
    hey, how is it going?
    good morning everyone
    good evening, how are you today?
    how have you been?
    nice to meet you
    what is up?
    thanks a lot, that was great
    thank you, you are the best
    perfect, thanks for your help
    awesome, that is all for today
    great job
    no problem
    you are welcome
    have a nice weekend
    see you tomorrow
    goodbye and good night
    haha that was funny
    I am fine, thanks, and you?
    happy birthday
    merry christmas to you
    sorry, my mistake
    who are you?
    what can you do?
    are you a human or a robot?
    how old are you?
    where do you live?
    do you like music?
    what is your favourite colour?
    tell me a joke
    tell me something interesting
    do you ever sleep?
    what is the meaning of life?
    what is the capital of France?
    who wrote Hamlet?
    who painted the Mona Lisa?
    how tall is Mount Everest?
    how many continents are there?
    when did the second world war end?
    what is the largest planet in the solar system?
    why is the sky blue?
    how far away is the moon?
    which language is spoken in Brazil?
    hallo zusammen
    guten Morgen, wie geht es dir?
    vielen Dank, das war sehr hilfreich
    danke dir, bis morgen
    schönes Wochenende
    alles klar, danke
    wer bist du?
    was kannst du?
    erzähl mir einen Witz
    wie hoch ist die Zugspitze?
    wer hat den Faust geschrieben?
    bonjour, comment vas-tu ?
    salut, ça va ?
    merci beaucoup, c'était parfait
    bonne journée et à demain
    qui es-tu ?
    raconte-moi une blague
    quelle est la capitale de l'Italie ?
    hola, ¿qué tal?
    buenos días, ¿cómo estás?
    muchas gracias, perfecto
    hasta mañana
    ¿quién eres?
    cuéntame un chiste
    ¿cuál es la capital de Chile?
    olá, tudo bem?
    bom dia
    muito obrigado pela ajuda
    até amanhã
    quem é você?
    conte uma piada
    ciao, come stai?
    buongiorno a tutti
    grazie mille, perfetto
    chi sei?
    raccontami una barzelletta
    hallo, hoe gaat het?
    goedemorgen
    dank je wel, tot morgen
    wie ben jij?
    cześć, jak się masz?
    dziękuję bardzo
    hej, hur mår du?
    tack så mycket
    hei, mitä kuuluu?
    kiitos paljon
    merhaba, nasılsın?
    çok teşekkür ederim
    привет, как дела?
    спасибо большое
    кто ты?
    добрый день
    привіт, як справи?
    дякую
    γεια σου, τι κάνεις;
    ευχαριστώ πολύ
    مرحبا، كيف حالك؟
    شكرا جزيلا
    שלום, מה שלומך?
    תודה רבה
    नमस्ते, आप कैसे हैं?
    बहुत धन्यवाद
    你好，最近怎么样？
    早上好
    非常感谢
    你是谁？
    讲个笑话
    こんにちは、元気ですか？
    ありがとうございました
    あなたは誰ですか？
    안녕하세요, 잘 지내요?
    정말 감사합니다
    สวัสดีครับ สบายดีไหม
    ขอบคุณมากค่ะ
    xin chào, bạn khỏe không?
    cảm ơn rất nhiều
    halo, apa kabar?
    terima kasih banyak
    """.strip().split("\n")
)
