"""Given names that are common enough to be told apart: two of them that differ by a letter are two people, not a slip of the pen.

Names that stand for one another ("Bob" for "Robert") are one group.
"""

from __future__ import annotations

from typing import Final

_GROUPS: Final = """
robert bob rob bobby robbie, william will bill billy liam, richard rick dick rich ricky, james jim jimmy jamie, john jack johnny,
jonathan jon jonny, michael mike mick mikey, thomas tom tommy, charles charlie chuck, edward ed eddie ted teddy, joseph joe joey,
david dave davey, daniel dan danny, matthew matt, anthony tony, christopher chris kit, andrew andy drew, stephen steven steve,
benjamin ben benny, samuel sam sammy, alexander alex sascha, nicholas nick nico nicolas, gregory greg, timothy tim timmy, patrick
pat paddy, peter pete, philip phillip phil, ronald ron ronnie, kenneth ken kenny, lawrence laurence larry, raymond ray, donald don
donnie, douglas doug, frederick fred freddy, gerald gerry jerry, jeffrey geoffrey jeff geoff, leonard len leo, nathan nathaniel
nate, vincent vince, walter walt, zachary zach zack, theodore theo, maximilian max, sebastian seb basti, elizabeth liz beth betty
lisa eliza, katherine catherine kathryn kate katie cathy kathy, margaret maggie meg peggy, jennifer jen jenny, jessica jess
jessie, patricia patty tricia, susan sue suzy, deborah debbie deb, barbara barb, rebecca becky becca, victoria vicky tori,
samantha sammie, alexandra alexa sandra sasha, christina tina chrissy, christine chrissie, kimberly kim, pamela pam, stephanie
steph, valerie val, veronica ronnie, theresa teresa tess, josephine josie, jacqueline jackie, gabrielle gabby, amanda mandy,
cynthia cindy, dorothy dot, eleanor ellie nell, florence flo, isabella isabel bella, madeleine maddie, natalie nat, nicole nicky,
olivia liv, penelope penny, francisco paco pancho, jose pepe, guadalupe lupe, johannes hannes hans, friedrich fritz, wilhelm willi
"""
_SINGLE: Final = """
aaron adam adrian ahmed aisha alan albert alfred ali alice alicia alina alison alma amber amelia amir amy ana anastasia andre
andrea andreas andrei angela angelo anja ann anna anne annette annika anton antonia antonio ariana arthur astrid audrey august
aurora ava axel beatrice bernd bernard bettina bianca birgit bjorn boris brandon brenda brian bruce bruno camila camille carina
carl carla carlo carlos carmen carol caroline catalina cecilia celine cesar chantal chiara chloe christian claire clara claudia
claudio clemens colin conrad cora corinna craig dagmar damian dana daniela danielle dario daria dean denis denise dennis derek
diana diego dieter dina dirk dmitri dominic dominik donna doris dylan edgar edith eduardo elena eliana elias elif elin elisa elise
ella ellen elsa emil emilia emilio emily emma enrique eric erica erik erika ernst esteban esther eugen eva evan eve evelyn fabian
fatima federico felicia felix ferdinand fernando finn fiona flora florian francesca francesco frank franz frida gabriel gabriela
gary gemma george georg georgia gina giovanni gisela giulia gloria grace guido gunther gustav hannah hanna harald harold harry
hassan hector heidi heike heinz helen helena helga henrik henry herbert holger hugo ibrahim ida igor ines inga ingrid irene irina
iris isaac ivan jacob jakob jan jana jane janet janina jasmin jason javier jens jeremy jill joan joana joanna joao jochen joel
joelle jonas jordan jorge josef joshua juan juana judith julia julian juliana julie julius jurgen justin kai karen karin karl
karla karsten katharina kathrin katja keith kelly kerstin kevin khalid klara klaus konrad kristen kristin kurt kyle lara lars
laura lauren lea leah lena leon leonie leroy leslie lilly lily linda lorenzo louis louisa louise lucas lucia luis luisa lukas luke
lydia lynn manfred manuel manuela mara marc marcel marco marcus maren maria mariam mariana marie marina mario marion marius mark
markus marlene marta martha martin martina marvin mary mateo matthias maurice maya melanie melissa mia michaela michelle miguel
mila milan milena miriam mohamed mohammed moritz nadia nadine nadja nancy naomi natalia nathalie neil nele niels nils nina noah
noel nora norbert norman oksana oleg oliver olga omar oscar oskar otto pablo pascal patrizia paul paula pauline pedro petra pia
pierre priya quentin rachel rafael rainer ralf ralph ramon ramona raquel raul regina renate rene ricarda ricardo rita roberta
roberto robin rodrigo roger roland rolf roman rosa rose roxana ruben rudolf russell ruth ryan sabine sabrina sally salma samira
sandro sara sarah sean sergei sergio seth shannon sharon sheila silke silvia simon simone sofia sonia sonja sophia sophie stefan
stefanie stella svenja sven sylvia tamara tanja tanya tatiana teodor thea thorsten tiago tim tina tobias todd tracy travis ulrich
ulrike ursula uwe valentin valentina vanessa vera viktor viktoria viola virginia vivian vladimir wendy werner wolfgang xavier yara
yasmin yusuf yvonne zara zoe
"""

GROUPS: Final = tuple(group.strip() for group in _GROUPS.split(","))
#: name → its group: equal groups are one name.
GROUP_OF: Final = {name: place for place, group in enumerate(GROUPS) for name in group.split()}
KNOWN: Final = frozenset(GROUP_OF) | frozenset(_SINGLE.split())


def are_one(first: str, second: str) -> bool:
    """Whether two given names stand for one another."""
    return first == second or (first in GROUP_OF and GROUP_OF.get(first) == GROUP_OF.get(second))


def are_two(first: str, second: str) -> bool:
    """Whether both are names of their own, and not of one another."""
    return first in KNOWN and second in KNOWN and not are_one(first, second)
