"""Words by which sentences that every request needs are known: environment, identity, safety, permissions, style.

Each kind has the words of the languages that agent prompts are mostly written in, a line or two each: English,
German, French, Spanish, Chinese; Italian, Portuguese, Dutch, Russian, Japanese and Korean where they are few. A word
too many costs some saving, a word too few an agent's rule: so they are broad.
"""

from __future__ import annotations

from typing import Literal

from litellm_prompt_router.authoring.split.word_pattern import WordPattern

EssentialKind = Literal["environment", "identity", "safety", "permission", "style", "conduct", "rule"]


_LABEL = r"^\W*(?:{})\W{{0,3}}[:：](?! ?[{{\[])"
"""A line such as ``- Platform: linux``."""

ENVIRONMENT_LABEL = _LABEL.format(
    r"(?:(?:current|working|home|project|root|workspace) )+(?:dir(?:ectory)?|folder|root|path)|directory|cwd"
    r"|workspace"
    r"|(?:today|current)(?:[’']s)? (?:date|time|day|year)|date|time|today|time ?zone|os|operating system"
    r"|platform|arch(?:itecture)?"
    r"|(?:default |login )?shell|host ?name|user ?name|git (?:branch|status|repo\w*)|runtime|locale"
    r"|arbeitsverzeichnis|datum|heute|betriebssystem|zeitzone|plattform|répertoire|dossier|date|système"
    r"|plateforme|fuseau"
    r"|directorio|carpeta|fecha|hoy|sistema|plataforma|zona horaria|目录|日期|时间|系统|平台|时区|工作区"
)
ENVIRONMENT = WordPattern(
    r"\b(?:your|the) home is\b|\bno access to\b|\bat most\b|\brelative to (?:the )?/|\bin the repository \S+/"
    r"|\b(?:files?|paths?|folders?) outside\b",
    r"\bpfade beziehen\b|\bohne netz\b|\bcontainer\b|\bconteneur\b|\bcontenedor\b|\bde mémoire\b|\bde memoria\b"
    r"|\bspeicher zur verfügung\b",
    "现在是|无法联网|没有网络|内存",
    ENVIRONMENT_LABEL,
    r"\b(?:working|home|project|base) (?:director(?:y|ies)|folder|dir)\b|\b(?:current|root) (?:directory|folder"
    r"|dir)(?: is\b|:)|\bcwd\b",
    r"\bworkspace (?:director(?:y|ies)|folder|root|path|is|lies)\b|\b(?:your|the) (?:\w+ )?(?:workspace|machine"
    r"|computer|host|server) (?:is|has|runs|lies)\b",
    r"\btoday(?:[’']s date| is|[’']s)\b|\b(?:current|present) (?:date|time|day|year|month)\b|\bthe (?:date|time"
    r"|day|year) (?:is|now)\b|\bit is now\b",
    r"\boperating system\b|\b(?:default|login|your) shell\b|\bshell is\b|\btime ?zones?\b|\bhost ?name (?:is|of)\b",
    r"\b(?:run(?:s|ning)?|work(?:s|ing)?|operat(?:e|es|ing)|execut(?:e|es|ed|ing)|hosted|deployed|live"
    r"|start(?:s|ed)?) (?:\w+ ){0,3}(?:on|in|under|inside|within) (?:\w+ ){0,3}"
    r"(?:linux|windows|mac ?os\w*|ubuntu|debian|alpine|docker|containers?|sandbox\w*|browser|vm|virtual machine"
    r"|web ?container|kubernetes|environment|terminal|editor|ide|unix|wsl|/\w+)",
    r"\b(?:linux|ubuntu|debian|macos|windows|alpine|fedora|unix) (?:\w+ )?(?:\d|machine|host|server|container"
    r"|box|system|environment)\w*",
    r"\b(?:internet|network|outside) (?:access|connection)\b|\b(?:you|machine|sandbox"
    r"|session)\b.{0,30}\boffline\b|\bnon-?interactive\b|\bunattended\b|\bheadless\b",
    r"\b(?:python|node(?:\.js)?|java|go|bash|zsh|fish|powershell) (?:\w+ )?(?:is|are) (?:pre-?)?installed\b"
    r"|\bpre-?installed\b|\bis installed\b",
    r"\b(?:rate|time|token|memory|disk|spending|usage|session|request|call) (?:limits?|budgets?|quotas?)\b"
    r"|\bcontext window (?:is|of|holds)\b|\bknowledge cut-?off\b|\bquotas?\b",
    r"(?<!not )\b(?:limited|restricted|capped) to\b|\b\d+ ?(?:GB|MB|cores|CPUs?|vCPUs?)\b"
    r"|\b(?:at most|no more than|up to|maximum of|max\.?) (?:[$€£]?[\d.,]+|two|three|four|five|six|ten|twenty"
    r"|thirty) ?"
    r"(?:\w+ )?(?:milliseconds|seconds?|minutes?|hours?|days?|tokens?|requests?|calls?|steps?|turns?|euros?"
    r"|dollars?|users?)\b",
    r"\btime[sd]? ?out (?:after|of)\b|\bends? after \d+|\b(?:stopped|killed|aborted|terminated) after\b"
    r"|\bexpires? after\b",
    r"\barbeitsverzeichnis\w*|\barbeitsordner\w*|\bprojektordner\w*|\bverzeichnis ist\b|\bheute ist\b"
    r"|\bheutige\w*|\bdatum\b|\buhrzeit\b|\bbetriebssystem\w*|\bzeitzone\w*|\bstandard-?shell\b"
    r"|\barbeitsbereich\w*|\bumgebung\w*|\b(?:läuft|läufst|laufen|arbeitest|ausgeführt) (?:\w+ ){0,3}(?:auf"
    r"|unter|in)\b|\binternetz\w*|\binternetverb\w*|\b(?:kein|mit|ohne|im|ins|das|dem|zum) (?:internet"
    r"|netz\w*)\b|\bnetzzugang\b|\bnetzwerkzugriff\b|\bhöchstens\b|\bmaximal\b|\bzeitlimit\w*|\bbegrenzt\b"
    r"|\bdie shell\b",
    r"\b(?:répertoire|dossier) (?:de travail|courant|actuel|du projet|de base)\b|\bdate (?:du jour|actuelle"
    r"|courante|d[’']aujourd)|\bnous sommes le\b|\baujourd[’']hui\b|\bheure (?:actuelle|courante|locale)\b"
    r"|\bsystème d[’']exploitation\b|\bfuseau\b|\bespace de travail\b|\benvironnement\b|\bsous (?:linux|windows"
    r"|macos|ubuntu|debian)\b|\baccès (?:à )?(?:l[’']?)?(?:internet|réseau)\b|\b(?:à|d[’'])internet\b"
    r"|\ble réseau\b|\bau réseau\b|\bau (?:plus|maximum)\b|\blimité\w*|\ble shell\b|\bshell par défaut\b",
    r"\b(?:directorio|carpeta) (?:de trabajo|actual|base|del proyecto|raíz)\b|\bfecha (?:actual|de hoy|es)\b"
    r"|\bhoy es\b|\bhora (?:actual|local|es)\b|\bsistema operativo\b|\bzona horaria\b|\bespacio de trabajo\b"
    r"|\bentorno\b|\bse ejecuta\w*|\b(?:a|de|sin|con) internet\b|\bla red\b|\bcomo máximo\b|\bmáximo de\b"
    r"|\blimitad\w*|\blímite\w*",
    "工作目录|当前目录|工作文件夹|根目录|主目录|今天|日期|当前时间|现在时间|操作系统|时区|环境|工作区|默认终端"
    "|默认外壳|联网|互联网|网络|上限|最多|超时|运行在|运行于|系统为|系统是|时间限制|内存|沙箱|容器",
    "作業ディレクトリ|今日|日付|現在時刻|オペレーティングシステム|環境|作業フォルダ|最大|작업 디렉터리|오늘"
    "|날짜|운영 체제|환경|최대|рабоч\\w+ (?:каталог|папк|директор)\\w*|сегодня|текущ\\w+ (?:дат|врем)\\w*"
    "|операционн\\w+ систем\\w*|часов\\w+ пояс\\w*|окружени\\w*|не более",
    r"\bdirectory di lavoro\b|\bdiretório de trabalho\b|\bwerkmap\b|\boggi è\b|\bhoje é\b|\bvandaag is\b"
    r"|\bbesturingssysteem\b|\bfuso\b|\btijdzone\b|\bambiente\b|\bomgeving\b|\bal massimo\b|\bno máximo\b"
    r"|\bhoogstens\b",
)
IDENTITY = WordPattern(
    r"\byou[’']re \w+[.,]|\b(?:say|says|saying|state|mention) that you are\b|\bas \w+, you\b|\byou speak for\b"
    r"",
    r"\bdass du \w+ bist\b|\bdein(?:e)? (?:schöpfer|hersteller|entwickler)\w*\b|\bque tu es\b|\bton (?:créateur"
    r"|fabricant)\b|\bque eres\b|\btu (?:creador|fabricante)\b",
    "你的(?:创造者|开发者|主人)|你为.{1,20}工作|说你是",
    _LABEL.format(
        r"(?:your |agent |assistant )?(?:role|persona|identity|maker|employer|operator)|(?:your |agent[’']?s? "
        r"|assistant[’']?s? )?name|rolle|hersteller"
        r"|nom|rôle|mission|nombre|papel|rol|名字|姓名|名称|角色|身份|职责|使命"
    ),
    r"(?<!if )(?<!when )(?<!that )\byou(?: are|[’']re) (?:now |only |always )?(?:an?|the|called|named|known"
    r"|part of|made|built|created|not an?)\b|^\W*you are [A-Z]?\w+[,.]",
    r"\byou (?:act|serve|work|function) (?:only )?(?:as|for)\b|\b(?:act|serve|behave|speak|pose|appear) as\b"
    r"|\bon behalf of\b|\byou represent\b|\byou (?:were|have been) (?:\w+ )?(?:built|made|created|developed"
    r"|trained|named)\b",
    r"\byour (?:\w+ )?(?:name|role|persona\w*|identity|maker|creator|employer|expertise|character)\b"
    r"|\byour (?:\w+ )?(?:job|mission|purpose|task|title|duty|goal) (?:is|as|must|remains)\b|\bmy name\b"
    r"|\bwho you are\b|\bwhat you are\b|\bwho (?:made|built|created|trained) you\b",
    r"\b(?:introduce|identify|present|describe|name|call) yourself\b|\b(?:claim|pretend|admit|deny)(?:s"
    r"|ing)? (?:to be|that you are|being)\b|\bimpersonat\w*|\b(?:an?|the|as) (?:AI|language model|chat ?bot"
    r"|virtual assistant|human being|AI (?:assistant|agent|model))\b|\bstay in character\b|\bpersona\b",
    r"\bdu bist (?:ein|eine|der|die|das|als|nur|kein|keine)\b|^\W*(?:du bist|sie sind) |\bdein(?:e)? (?:name"
    r"|rolle|aufgabe|auftrag|identität)\b|\bdu hei(?:ß|ss)t\b|\bstell\w* dich\b|\b(?:dich|sich"
    r"|du) (?:\w+ ){0,3}als .{0,40}(?:vorstell|ausgeb|auftret)\w*|\b(?:dich|sich"
    r"|du) (?:\w+ ){0,4}als (?:\w+ ){0,4}(?:vor|aus|assistent\w*|mensch\w*|auf)\b|\bwer du bist\b"
    r"|\bhandle als\b|\barbeitest (?:für|als)\b|\bgib dich\b|\bmensch\w*\b|\bwurdest von\b|\bki-\w+"
    r"|\bim namen\b|\bauftreten\b|\btritt\w* (?:\w+ )?als\b",
    r"\b(?:tu es|vous êtes) (?:une?|le|la|l[’']|conn\w+|appel\w+|seulement)|^\W*(?:tu es|vous êtes) |\b(?:ton"
    r"|votre) (?:nom|rôle|mission|identité|travail|métier)\b|\b(?:t[’']appelles|vous appelez|t[’']appeler)\b"
    r"|\b(?:présente|identifie|présentez|identifiez|présenter|identifier)(?:-toi|-vous)?\b|\bqui (?:tu es"
    r"|vous êtes)\b|\bagis(?:sez)? (?:comme|en tant)\b|\ben tant qu\w*|\bfais(?:-toi)? passer\b|\b(?:être"
    r"|pour) un(?:e)? (?:humain|personne)\w*|\bau nom d\w*|\btravailles? pour\b|\bfaire passer\b"
    r"|\bintelligence artificielle\b|\bIA\b",
    r"\beres (?:una?|el|la|solo|conocid\w+)\b|^\W*eres |\btu (?:nombre|papel|rol|misión|identidad|trabajo"
    r"|tarea)\b|\bte llamas\b|\b(?:preséntate|identifícate|presentarte|identificarte|presentes|identifiques)\b"
    r"|\bquién eres\b|\bactúa como\b|\bactuar como\b|\ben nombre de\b|\btrabajas para\b|\bhacerte pasar\b"
    r"|\bte hagas pasar\b|\b(?:ser|un|una) (?:humano|persona)\b|\bcomo asistente\b|\binteligencia artificial\b"
    r"|\bconocido como\b|\bllamarte\b",
    "你是|您是|你叫|名叫|你的名字|你的身份|你的角色|你的任务|你的职责|你的使命|身份|自称|冒充|假装是|扮演"
    "|作为.{0,8}(?:助手|助理|代理|专家|客服|人员)|代表|真人|人类|自我介绍|介绍自己|你是谁|被称为|人工智能"
    "|开发的|打造的",
    "あなたは|私の名前|役割|名乗|자신을|당신은|역할|ты (?:—|-|являешься)|вы (?:—|-|являетесь)|тебя зовут"
    "|твоя роль|sei un|sei il|você é|o seu papel|je bent een|jouw rol|il tuo ruolo|ti chiami|seu nome"
    "|jouw naam",
)
SAFETY = WordPattern(
    r"\b(?:don[’']t|do not|never|not) (?:ever )?(?:share|publish|post|send|run|execute|print|output|log|show"
    r"|store|forward|upload|trust|follow|open)\b|\bignore (?:any |all |the )?instructions\b|\bdecline\b"
    r"|\bidentifiable\b|\bprotect\w*\b|\bstrangers\b|\bunknown (?:code|sources?|links?)\b",
    r"\bignoriere\w*\b|\bfremd(?:e|en|er) (?:code|link)\w*|\bschütz\w*|\bteile? (?:niemals|nie|keine)\b|\b(?:ne"
    r"|n[’'])(?: ?)(?:partage|exécute|publie|envoie|montre)\w*|\bprotèg\w*|\bprotéger\b|\bignore les\b"
    r"|\bno (?:compartas|ejecutes|publiques|envíes|muestres)\b|\bprotege\w*|\bproteger\b|\bignora\w*",
    "分享|忽略.{0,8}指令|保护|陌生|来历不明",
    r"\baccidental(?:ly)?\b",
    r"\bsafe(?:ty|ly|guards?)?\b|\bunsafe\b|\bsecur(?:ely|ity)\b|\b(?:kept|keep|be|are|is|stay|stays) secure\b"
    r"|\binsecure\b|\bharm\w*|\bdanger\w*|\bmalicious\w*|\bmalware\b|\bprivacy\b|\bprivate (?:data|keys?"
    r"|information|details)\b|\bpersonal (?:data|information|details)\b|\bconfidential\w*",
    r"\bsecrets?\b|\bpass(?:word|phrase|code)s?\b|\bcredentials?\b|\bapi[ _-]?keys?\b|\b(?:access|auth\w*"
    r"|bearer|api|secret) tokens?\b|\bsensitive\b|\b(?:reveal|disclos|divulg|leak|expos)(?:e|es|ed|ing|s"
    r"|ure)?\b(?! (?:the )?(?:port|api|endpoint)s?)",
    r"\billegal\w*|\bunlawful\w*|\bcopyright\w*|\bweapons?\b|\bself-harm\b|\bhat(?:e|eful) (?:speech|content)\b"
    r"|\bviolen(?:ce|t)\b|\buntrusted\b|\bprompt injections?\b|\bsystem prompt\b|\b(?:these|your"
    r"|my) instructions\b|\brefus(?:e|es|ed|al|ing)\b|\bexploits?\b|\bdecline (?:to|any|all|requests?|it)\b",
    r"\b(?:medical|legal|financial) advice\b|\bminors\b|\bemergenc(?:y|ies)\b|\bethic\w*|\bcomplian(?:ce|t)\b"
    r"|\bpii\b|\bdata (?:loss|protection)\b|\bdestructive\w*|\birreversib\w*|\bdestroy\w*",
    r"\b\w*sicherheit\w*|\bgeheim\w*|\b\w*passw(?:o|ö)rt\w*|\bkennw(?:o|ö)rt\w*|\bzugangsdaten\b|\bschlüssel\w*"
    r"|\bvertraulich\w*|\bpersonenbezogen\w*|\bpersönliche\w* daten\b|\bdatenschutz\w*|\b\w*schädlich\w*"
    r"|\bschad\w*|\bgefähr\w*|\bgefahr\w*|\bpreis(?:geben|gegeben|gibst)\b|\bgib\w* .{0,60} preis\b|\bverrat\w*"
    r"|\boffen(?:legen|gelegt|lege)\b|\blege .{0,60} offen\b|\billegal\w*|\brechtswidrig\w*|\bablehn\w*"
    r"|\babgelehnt\b|\blehn\w* .{0,80}\bab\b|\bverweiger\w*|\bweitergeb\w*|\bweitergegeben\b",
    r"\bsécurité\b|\bsûrs?\b|\bsecrets?\b|\bmots? de passe\b|\bidentifiants?\b|\bconfidenti\w*"
    r"|\bdonnées (?:personnelles|privées|sensibles|client\w*)\b|\bvie privée\b|\bdanger\w*|\bnuisible\w*"
    r"|\bnuire\b|\bmalveillant\w*|\brévél\w*|\bdivulgu\w*|\bdévoil\w*|\billég\w*|\bsensibles?\b|\brefus\w*"
    r"|\bclés?\b",
    r"\bsegur(?:idad|o|os|a|as)\b|\bsecret\w*|\bcontraseñ\w*|\bcredencial\w*|\bclaves?\b|\bconfidencial\w*"
    r"|\bdatos (?:personales|privados|sensibles|de clientes?)\b|\bprivacidad\b|\bpeligr\w*|\bdañin\w*|\bdañ\w*"
    r"|\bmalicios\w*|\brevel\w*|\bdivulg\w*|\bilegal\w*|\bsensible\w*|\brechaz\w*|\bnegarte\b|\bniégate\b",
    "安全|机密|秘密|保密|密码|密钥|口令|凭据|凭证|隐私|私人|个人信息|个人数据|有害|伤害|危险|恶意|泄露|透露"
    "|泄漏|公开.{0,6}(?:数据|信息)|违法|非法|攻击|敏感|拒绝",
    "安全|機密|秘密|パスワード|個人情報|危険|有害|漏ら|拒否|안전|보안|비밀|암호|개인 ?정보|위험|유해|공개하지"
    "|безопас\\w*|секрет\\w*|парол\\w*|конфиденциальн\\w*|персональн\\w+ данн\\w*|опасн\\w*|вредоносн\\w*"
    "|раскрыва\\w*|незаконн\\w*|отказ\\w*",
    r"\bsicurezza\b|\bsegret\w*|\bsegred\w*|\bsenha\w*|\briservat\w*|\bpericolos\w*|\bperigos\w*|\bsegurança\b"
    r"|\bveilig\w*|\bgeheim\w*|\bwachtwoord\w*|\bgevaarlijk\w*|\bschadelijk\w*|\bvertrouwelijk\w*|\brifiut\w*"
    r"|\brecus\w*|\bweiger\w*",
)
PERMISSION = WordPattern(
    r"\bdecides?\b|\bget an? (?:yes|ok|okay|go)\b|\bwait for (?:the|a|an|your)\b|\b(?:stop|pause) and ask\b"
    r"|\bneeds? an? (?:manager|human|owner|yes|ok)\b|\boff-?limits\b|\btaboo\b|\bown initiative\b",
    r"\bentscheide\w*|\bwarte\w* auf\b|\btabu\b|\beinverständnis\b|\bdécid\w*|\battends?\b|\bne (?:peux|peut"
    r"|pouvez) (?:rien|pas)\b|\bdecide[ns]?\b|\bespera\b|\bno puedes?\b",
    "决定|等.{1,8}再|你不能|不能修改|征求",
    r"\bpermi(?:ssions?|t|ts|tted)\b|\bapprov(?:e|es|ed|al|als|ing)\b|\bconfirm(?:s|ed|ation|ing)?\b"
    r"|\bconsent\b|\bauthori[sz](?:e|es|ed|ation)\b(?! header)|\b(?:not|only|never|are|is|be|you) allowed\b"
    r"|\ballow-?lists?\b|\bdisallow\w*|\bforbid\w*|\bforbidden\b|\bprohibit\w*|\bdenied\b|\b(?:is|are|be"
    r"|always) blocked\b|\bblocked (?:commands?|domains?|hosts?|paths?)\b|\bread-?only\b|\bwrite access\b"
    r"|\bsudo\b|\b(?:admin\w*|root) (?:rights|access|privileges)\b|\bprivileges?\b",
    r"\bask(?:s|ed|ing)? (?:\w+ ){0,4}(?:before|first|permission|approval|confirmation|user|customer|owner"
    r"|operator|human)\b|\bask(?:s|ed)? (?:me|them|him|her|someone|a human)\b|\bcheck with (?:the|your)\b"
    r"|\bwithout (?:being |explicitly )?(?:ask(?:ing|ed)|approv\w+|permission|confirm\w+|consent"
    r"|a (?:\w+ )?(?:request|order|go-ahead|yes)|(?:the|an?) (?:\w+[’']?s? )?(?:ok|okay|go-ahead|agreement"
    r"|request|order|word|yes))\b",
    r"\b(?:unless|until|only (?:if|when|after|once)) (?:the |a |an |your )?(?:user|customer|owner|operator"
    r"|caller|human|client|manager|admin\w*|told|asked|requested|explicitly)\b"
    r"|\bexplicit(?:ly)? (?:\w+ )?(?:ask|request|told|tell|approv|order|permi|consent|instruct|agree|confirm"
    r"|yes|go)\w*|\bgo-ahead\b|\bon (?:your|its) own\b|\bagree(?:s|d|ment)?\b|\bmay only\b"
    r"|\bmay not\b(?! (?:always|need))"
    r"|\boff[- ]limits\b|\bhands off\b|\bdo not touch\b|\bnever touch\b|\bleave .{0,40} alone\b",
    r"\b(?:never|don[’']t|do not|must not|mustn[’']t|cannot|can[’']t|not) (?:ever )?(?:delet|remov|overwrit"
    r"|drop|push|force|deploy|publish|send|pay|buy|order|cancel|refund|commit|merg|reset|rewrit|modif|chang"
    r"|edit|writ|install|kill|shut|restart|widen|exceed|bypass|circumvent)\w*",
    r"\b(?:before|prior to) (?:you )?(?:delet|remov|overwrit|drop|push|deploy|publish|send|pay|buy|cancel"
    r"|refund|destroy|wip)\w*",
    r"\berlaub\w*|\bgestatte\w*|\bgenehmig\w*|\bfreigab\w*|\bfreigeb\w*|\bfreigegeben\b|\bzustimm\w*"
    r"|\bzugestimmt\b|\bbestätig\w*|\beinwillig\w*|\beinverst\w*|\bverboten\w*|\buntersagt\w*"
    r"|\bnur (?:zum )?lesen\w*|\bschreibgeschützt\w*|\b(?:lese|schreib)\w*zugriff\w*|\bberechtig\w*|\bbefug\w*"
    r"|\bfrag(?:e|st|t|en)? (?:\w+ ){0,4}(?:nach|vor|zuerst|bevor|kunden|nutzer|benutzer|erst|vorher|den|die"
    r"|um)\b|\brückfrag\w*|\bgefragt\b|\bfragen\b|\bdarf(?:st)?\b|\bdürfen\b|\bohne (?:\w+ ){0,4}(?:zustimmung"
    r"|auftrag|erlaubnis|freigabe|zu fragen)\b|\bausdrücklich\w*",
    r"\bautoris\w*|\bpermi(?:s|se|ssions?|ssion)\b|\bpermet\w*|\b(?:l[’']|un |son |ton |votre )?accord\b"
    r"|\bapprouv\w*|\bapprobation\b|\bconfirm\w*|\bconsent\w*|\binterdi\w*|\bprohib\w*|\blecture seule\b"
    r"|\bdroits? (?:d[’']|de )|\bdemand(?:e|ez|er)\b|\birréversib\w*|\bfeu vert\b|\bexpressément\b"
    r"|\bexplicitement\b|\bexplicite\b",
    r"\bpermi(?:so|sos|te|tido|tida|tidos|tidas|tir|sión)\b|\bautoriz\w*|\bautoric\w*|\baprob\w*|\baprueb\w*"
    r"|\bconfirm\w*|\bconsent\w*|\bprohib\w*|\bprohíb\w*|\bs(?:o|ó)lo lectura\b|\bpregunt\w*|\bpide\b|\bpidas\b"
    r"|\bpedir\b|\birreversib\w*|\bpermiten\b|\bvisto bueno\b|\bacuerdo\b|\bexplícit\w*|\bexpresamente\b"
    r"|\bdebe[ns]? aceptar\b",
    "许可|允许|准许|授权|批准|同意|确认|询问|请示|问过|先问|征求|禁止|不得|不准|不许|严禁|只读|权限|擅自|征得"
    "|审批|未经|明确要求",
    "許可|承認|確認|禁止|同意|読み取り専用|尋ね|허락|허용|승인|확인|금지|동의|읽기 전용|물어|разреш\\w*"
    "|одобр\\w*|подтвержд\\w*|подтверд\\w*|запрещ\\w*|соглас\\w*|только для чтения|спроси\\w*|спрашива\\w*",
    r"\bpermess\w*|\bautorizz\w*|\bconferm\w*|\bvietat\w*|\bconsenso\b|\bsola lettura\b|\bchiedi\b|\bpermiss\w*"
    r"|\baprova\w*|\bproibid\w*|\bsomente leitura\b|\bpergunt\w*|\btoestemming\b|\bgoedkeur\w*|\bbevestig\w*"
    r"|\bverboden\b|\balleen-lezen\b|\bvraag\b|\btoegestaan\b",
)
STYLE = WordPattern(
    r"\b(?:write|speak|sound|talk) like\b|\blecture\b|\b(?:begin|start|end|open"
    r"|close) (?:\w+ )?with (?:the result|a summary|the answer|a|an|[\"'“])|\bfirst name\b|\bsmall talk\b",
    r"\bvornamen?\b|\bschreib\w* wie\b|\bfachw(?:o|ö)rt\w*|\bécris\b|\bprénom\b|\bescribe como\b|\bnombre de pila\b",
    "像.{1,10}一样(?:写|说)|称呼",
    r"\btone\b|\bpolite\w*|\bfriendly\b|\bformal\w*|\binformal\w*|\bconcise\w*|\bterse\w*"
    r"|\bbrief(?:ly)?\b(?! (?:description|summary|overview|pause|note|introduction)s?)|\bbrevity\b|\bverbos\w*"
    r"|\bemojis?\b|\bjargon\b|\bslang\b|\bexclamation\w*|\bhumou?r\w*|\bplain (?:language|english|words|text)\b"
    r"|\bprofessional\w*|\bempath\w*|\bcheerful\w*|\bflatter\w*|\bapologi[sz]\w*|\bpreamble\b|\bfiller\b"
    r"|\bcourteous\w*|\brespectful\w*|\bswear\w*",
    r"\b(?:your|all|every|each|final|long|short) (?:\w+ )?(?:answers?|repl(?:y|ies)|messages?|explanations?"
    r"|sentences|paragraphs)\b|\byour (?:\w+ )?(?:responses?|output)\b|(?<!will )\b(?:answer|respond|reply"
    r"|repl(?:y|ies)|responses?|answers|speak|talk|writ(?:e|ten)) (?:\w+ ){0,2}(?:in|with|briefly|politely|only"
    r"|to (?:the )?(?:user|customer)s?)\b|^\W*(?:always |never |please )?(?:answer|respond|reply|speak|sound"
    r"|greet|thank)\b|\banswers (?:are|must|should|stay|may)\b|\b(?:replies|responses) (?:are|must|should|stay"
    r"|may)\b|\bkeep (?:\w+ ){0,3}(?:short|brief|simple|concise)\b",
    r"\b(?:user|customer|reader|caller)[’']?s? (?:own )?(?:language|name|preferred)\b|\b(?:in|to|use|speak"
    r"|write) (?:\w+ )?(?:english|german|french|spanish|chinese|japanese|british spelling|american spelling)\b"
    r"|\b(?:first|third) person\b|\bmarkdown\b|\b(?:address|greet|thank|call) (?:the |your |every "
    r"|each )?(?:user|customer|caller|guest|client)s?\b|\b(?:writing|communication|response|answer|output"
    r"|house) styles?\b|\bstyle (?:guide|of)\b|\btables? or lists?\b|\bbullet (?:points|lists?)\b",
    r"\b(?:tell|inform|notify|warn|show|explain to|report to|update|remind) (?:the |your )?(?:user|customer"
    r"|caller|owner|operator|client)s?\b",
    r"\bton(?:fall|fälle)?\b|\bhöflich\w*|\bfreundlich\w*|\bförmlich\w*|\bsiez\w*|\bduz\w*|\bsachlich\w*"
    r"|\bknapp\w*|\bkurz\w*|\bantwort\w*|\bbeantwort\w*|\b\w*stil(?:e|s)?\b|\bemojis?\b|\bausrufezeichen\b"
    r"|\bsprache\b|\banred\w*|\bredewend\w*|\bfachjargon\b|\bfloskel\w*|\bduzen\b|\bbegrüß\w*|\bauf (?:deutsch"
    r"|englisch)\b|\b(?:sag|sage|teile|informier\w*|melde) (?:\w+ ){0,3}(?:kunden|nutzer|benutzer|anwender)\w*"
    r"|\bschreib(?:e|st)? (?:\w+ ){0,3}(?:in|auf|kurze|klar)\b",
    r"\ble ton\b|\bton (?:reste|est|doit|neutre|poli|amical|formel|calme|professionnel|courtois|cordial)\b"
    r"|\bun ton\b|\bpoli(?:e|es|s|ment|tesse)?\b|\bcourtois\w*|\bamical\w*|\bformel\w*|\bvouvoi\w*|\bvouvoy\w*"
    r"|\btutoi\w*|\btutoy\w*|\bconcis\w*|\bbref|\bbrefs\b|\bbrève\w*|\bbrièvement\b|\brépon\w*|\bémojis?\b"
    r"|\bemojis?\b|\blangue\b|\bexclamation\w*|\bstyle\b|\bfamilier\w*|\bjargon\b|\bcourte?s?\b"
    r"|\ben (?:français|anglais)\b|\binform(?:e|ez|er) (?:l[’']utilisateur|le client)",
    r"\btono\b|\beducad\w*|\bcort(?:é|e)s\w*|\bamable\w*|\bamabilidad\b|\bformal\w*|\btute\w*|\busted\b"
    r"|\bconcis\w*|\bbreve\w*|\bresponde[nrs]?\b|\bresponda[ns]?\b|\brespondid\w*|\brespuesta\w*|\bcontest\w*"
    r"|\bestilo\b|\bemojis?\b|\bemotic\w*"
    r"|\bidioma\b|\bexclamaci\w*|\bjerga\b|\bcortas?\b|\bcortos?\b|\ben (?:español|inglés)\b"
    r"|\binform\w+ al (?:usuario|cliente)",
    "语气|口吻|礼貌|友好|正式|简洁|简短|简明|回答|回复|答复|作答|回应|风格|表情|感叹号|用户的语言|中文|英文"
    "|语言|称呼|敬语|尊称|措辞|术语|专业|亲切|告知用户|告诉用户|通知用户",
    "口調|丁寧|簡潔|返答|回答|絵文字|敬語|ユーザーの言語|말투|정중|간결|답변|이모지|존댓말|тон\\b|вежлив\\w*"
    "|кратк\\w*|отвеча\\w*|ответ\\w*|эмодзи|стил\\w*|на языке",
    r"\bcortese\w*|\brispond\w*|\brispost\w*|\bstile\b|\bconcis\w*|\bbreve\w*|\bresposta\w*|\bestilo\b"
    r"|\beducad\w*|\bbeleefd\w*|\bbeknopt\w*|\bantwoord\w*|\bstijl\b|\btoon\b|\blingua\b|\btaal\b",
)
CONDUCT = WordPattern(
    r"\bnever say\b|\b(?:don[’']t|do not) say\b|\bverify\b|\buntil the (?:task|work|job)\b|\bgive up\b"
    r"|\bdon[’']t stop\b|\bthink (?:first|before|step)\b|\bstep by step\b",
    r"\bclaim(?:s|ed|ing)?\b|\bpretend\w*|\binvent(?:s|ed|ing)?\b|\bfabricat\w*|\bhallucinat\w*|\b(?:make|made"
    r"|making)[ -]up\b|\bhonest\w*|\btruthful\w*|\bguess(?:es|ed|ing|work)?\b|\bfake\w*|\blying\b|\bown up\b"
    r"|\badmit\w*",
    r"\bbehaupte\w*|\berfind\w*|\berfund\w*|\berfinde\w*|\brate nicht\b|\braten\b|\behrlich\w*|\bvortäusch\w*"
    r"|\bwahrheit\w*",
    r"\bprétend\w*|\binvente[rsz]?\b|\binventé\w*|\bdevin\w*|\bhonnêt\w*|\baffirm\w*|\bmentir\b|\binventes?\b"
    r"|\binventar\b|\binventa\b|\binventad\w*"
    r"|\bfinj\w*|\bfing(?:ir|es|e)\b|\badivin\w*|\bhonest\w*|\bafirm\w*|\bmient\w*",
    "声称|宣称|假装|编造|捏造|虚构|猜测|臆测|诚实|如实|撒谎|捏造|推測|でっち上げ|正直|지어내|추측|정직"
    "|выдумыва\\w*|честн\\w*|притворя\\w*|угадыва\\w*",
)
OBLIGATION = WordPattern(
    r"\b(?:must|never|always|shall|should|ought|cannot|mustn[’']t|shouldn[’']t|needn[’']t|can[’']t|don[’']t"
    r"|doesn[’']t|won[’']t|isn[’']t|aren[’']t)\b|\b(?:do|does|may|is|are|was|be|can|will|would) (?:\w+ )?not\b"
    r"|\b(?:has|have|had|need|needs) to\b|\bis to be\b|\bare to be\b|\bno (?:\w+ )?(?:is|are|may|can|should)\b",
    r"\brequir(?:e|es|ed|ement|ements)\b(?! (?:and|or|parameters?|fields?|arguments?)\b)|\bmandatory\b"
    r"|\bobligat\w*|\bimportant\w*|\bcritical\w*|\bcrucial\w*"
    r"|\bessential\w*|\bvital\w*|\bensure\w*|\bmake sure\b|\bbe sure\b|\bbe careful\b|\bavoid\w*|\brefrain\w*"
    r"|\bstrictly\b|\bat all times\b|\bno exceptions?\b|\bwithout exception\b|\bremember\b|\bonly (?:if|when"
    r"|after|once|ever|in|for|use|by)\b|\bunder no circumstances\b|\bin no case\b|\bin (?:any|every"
    r"|all) cases?\b|\bat least\b|\bexpected to\b|\bsupposed to\b|\bobliged\b|\bbound to\b|\bdouble-check\w*"
    r"|\bverif(?:y|ies|ied)\b|\bnotes?:|\bwarning\b|\bunless\b|\bbefore (?:you|any|each|every|the|a)\b"
    r"|\bif (?:you|the|a|an|in|any|something|anything|asked|unsure|there)\b|\bwhen(?:ever)? (?:you|in doubt"
    r"|asked|unsure)\b|\bin doubt\b",
    r"\b(?:muss|musst|müssen|soll|sollst|sollen|sollte\w*|niemals|nie|immer|stets|kein\w*|nicht|unbedingt"
    r"|zwingend|pflicht\w*|verpflicht\w*|wichtig\w*|vermeide\w*|stelle sicher|sicherstellen|sichergestellt"
    r"|achte|beachte\w*|keinesfalls|auf keinen fall|in jedem fall|nur wenn|falls|wenn|sobald|bevor"
    r"|erforderlich\w*|notwendig\w*|vorgeschrieben|ist zu|sind zu)\b",
    r"\b(?:doi[st]|doivent|devez|devrai\w*|jamais|toujours|ne|n[’'](?:est|utilise\w*|oublie\w*)|pas|aucun\w*"
    r"|il faut|obligatoire\w*|obligation|important\w*|impérati\w*|évite\w*|éviter|assure-toi|assurez-vous"
    r"|veille\w*|veillez|uniquement|seulement|en aucun cas|requis\w*|nécessaire\w*|si|lorsque|avant)\b",
    r"\b(?:deb(?:e|es|en|erá\w*|ería\w*)|nunca|jamás|siempre|no|ningún\w*|obligatori\w*|important\w*"
    r"|imprescindible\w*|evita\w*|asegúrate|procura|únicamente|solamente|sólo|solo|en ningún caso|hay que"
    r"|tienes que|tiene que|requerid\w*|necesari\w*|si|cuando|antes)\b",
    "请|必须|務必|务必|一定|应当|应该|应|须|需要|需|要求|不得|不可|不能|不要|不应|不准|切勿|勿|绝不|绝不能"
    "|从不|永远|始终|总是|总要|每次|只能|仅限|禁止|严禁|避免|确保|注意|重要|如果|若|除非|之前|否则",
    "なければならない|必ず|しないで|してはいけない|べき|禁止|常に|決して|注意|반드시|절대|항상|하지 마|해야"
    "|금지|должн\\w*|нельзя|никогда|всегда|обязательно|следует|не\\b|запрещ\\w*|если",
    r"\b(?:deve|devi|devono|sempre|mai|non|occorre|bisogna|deve|devem|nunca|não|é preciso|moet|moeten|altijd"
    r"|nooit|niet|geen|verplicht)\b",
)
TOOL_WORDS = WordPattern(
    r"\b(?:tools?|functions?|commands?|parameters?|params?|arguments?|args?|options?|flags?|returns?|schemas?|syntax"
    r"|usage|invocations?|endpoints?|json|regex|payloads?|integers?|booleans?|stdout|stderr)\b",
    r"\b(?:werkzeug\w*|tool\w*|funktion\w*|befehl\w*|kommando\w*|parameter\w*|argument\w*|aufruf\w*"
    r"|rückgabe\w*)\b|\b(?:outils?|fonctions?|commandes?|paramètres?|renvoie\w*)\b|\b(?:herramientas?|función"
    r"|funciones|comandos?|parámetros?|argumentos?|devuelve\w*)\b",
    "工具|函数|命令|参数|返回|调用|ツール|関数|コマンド|引数|도구|함수|명령|매개변수|инструмент\\w*|функци\\w*"
    "|команд\\w*|параметр\\w*|аргумент\\w*",
    r"\b(?:strument\w*|funzion\w*|ferramenta\w*|função|funções|gereedschap\w*|functie\w*)\b",
)
THIS_TOOL = WordPattern(
    r"^\W*(?:(?:instructions?|usage|note)\W+)?(?:do not |don[’']t |never |always |only )?use (?:only |it "
    r"|this )?(?:after|when|if|for|to|it|once|before)\b",
    r"\b(?:this|the) (?:tool|function|command)\b(?!s)|\b(?:call|calling|use|using|invoke|invoking|run"
    r"|running) (?:it|this)\b(?! (?:file|folder|path))",
    r"\bdiese[sn]? (?:werkzeug|tool|funktion|befehl)\b|\bcet(?:te)? (?:outil|fonction|commande)\b"
    r"|\besta (?:herramienta|función)\b|\beste comando\b|(?:此|该|这个|本)(?:工具|函数|命令)|このツール|이 도구"
    r"|(?:этот|этого) инструмент\w*",
)
ESSENTIAL_TITLE = WordPattern(
    r"\b(?:allowed|blocked|denied|forbidden|prohibited|permitted|restricted) (?:\w+ )?(?:commands?|actions?"
    r"|tools?|domains?|paths?|operations?|files?|topics?)\b|\bread-?only\b|\bpermissions?\b|\bapprovals?\b"
    r"|\benvironment\b|\bsystem (?:info\w*|context)\b|\b(?:working|current) director(?:y|ies)\b"
    r"|\b(?:your )?workspace\b",
    r"\bumgebung\w*|\berlaubt\w*|\bverboten\w*|\bgesperrt\w*|\bberechtigung\w*|\benvironnement\b|\bautoris\w*"
    r"|\binterdi\w*|\bentorno\b|\bpermiti\w*|\bprohibid\w*|\bpermisos\b|环境|允许|禁止|权限|限制|環境|환경"
    r"|окружени\w*|разреш\w*|запрещ\w*",
)
"""Titles of sections that every request needs, beside those of roles.py."""
KNOWN_LANGUAGES = (
    "the of and to a in is it that for on with as are be this by or not you your from an at if when use which its into",
    "der die das und ist nicht ein eine mit für auf den dem von zu sie wenn oder im als auch wird bei aus es du des",
    "le la les des une un est et que qui dans pour sur avec par en ne pas au aux il se ce cette de du ou",
    "el la los las una un del con por para como más lo al su y en no si se que este esta de es o",
)
"""Frequent words of each language whose rules are known here; Chinese is known by its script."""
OTHER_LANGUAGES = (
    "il lo la gli le di del della che non per con una un sono è e in da si nel alla come se o questo",
    "o a os as um uma de do da dos das que não para com por em no na se ou e é como mais este esta ao",
    "de het een van en niet voor met op te is dat die zijn in als of om aan er bij naar wordt uit",
    "i w na z do nie się to jest że o dla jak przez po przed co lub jeśli oraz tego od",
    "och att det som en ett är inte på av för med till den i om eller har kan ska vid från",
    "ve bir bu için ile da de olarak olan en çok daha gibi veya her ne kadar sonra önce değil",
    "a az és hogy nem egy van ezt is meg vagy csak ha de mint el ki be kell minden",
    "og at det som en et er ikke på av for med til den i om eller har kan skal ved fra",
    "a se na v je to že s z do i o jako pro za po ale nebo který by není jsou",
    "dan yang di untuk dengan ini itu dari pada tidak atau dalam akan adalah ke oleh jika",
    "và là của có không cho được các một trong những này để với khi từ đã người",
)
"""Frequent words of languages that would pass for one of those."""
KINDS: tuple[tuple[EssentialKind, WordPattern], ...] = (
    ("identity", IDENTITY),
    ("environment", ENVIRONMENT),
    ("safety", SAFETY),
    ("permission", PERMISSION),
    ("conduct", CONDUCT),
    ("style", STYLE),
)
